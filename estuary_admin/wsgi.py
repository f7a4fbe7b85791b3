"""The WSGI entry point: `python -m gunicorn estuary_admin.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")

application = get_wsgi_application()

from estuary_admin.backups import hold_database  # noqa: E402 - needs the settings

hold_database()
