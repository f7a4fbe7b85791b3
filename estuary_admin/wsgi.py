"""The WSGI entry point: `python -m gunicorn estuary_admin.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from estuary_admin.secrets.sealing import sealing_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")

application = get_wsgi_application()

from estuary_admin.storage.backups import hold_database  # noqa: E402 - needs the settings

# Better no console than one in which nobody can connect a key.
sealing_keys()
hold_database()
