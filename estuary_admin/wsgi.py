"""The WSGI entry point: `python -m gunicorn estuary_admin.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from estuary_admin.secrets.sealing import sealing_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")

application = get_wsgi_application()

from estuary_admin.storage.backups import hold_database  # noqa: E402 - needs the settings

# Fail at the start, not when the first member connects a key.
sealing_keys()
hold_database()
