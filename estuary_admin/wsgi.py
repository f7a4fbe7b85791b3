"""The WSGI entry point: `python -m gunicorn estuary_admin.wsgi`."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")

django_application = get_wsgi_application()

from estuary_admin.secrets.sealing import sealing_keys  # noqa: E402
from estuary_admin.storage.backups import hold_database  # noqa: E402 - needs the settings
from estuary_admin.web.wsgi_application import ConsoleApplication  # noqa: E402

# Fail at the start, not when the first member connects a key.
sealing_keys()
hold_database()

application = ConsoleApplication(django_application, settings.BASE_PATH)
