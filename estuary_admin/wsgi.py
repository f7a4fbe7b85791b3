"""The WSGI entry point: `python -m gunicorn estuary_admin.wsgi`."""

from __future__ import annotations

import os
import sys
from wsgiref.types import WSGIApplication

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")

GUNICORN_STOP = 4  # makes gunicorn end instead of starting the worker again


def load() -> WSGIApplication:
    django_application = get_wsgi_application()

    # Imported here, because they need the settings.
    from estuary_admin.secrets.sealing import sealing_keys
    from estuary_admin.storage.backups import hold_database
    from estuary_admin.web.wsgi_application import ConsoleApplication

    # Fail at the start, not when the first member connects a key.
    sealing_keys()
    hold_database()
    return ConsoleApplication(django_application, settings.BASE_PATH)


try:
    application = load()
except ImproperlyConfigured as error:
    print(error, file=sys.stderr)  # noqa: T201 - a sentence, which a traceback would bury
    sys.exit(GUNICORN_STOP)
