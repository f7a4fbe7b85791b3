from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class EstuaryAdminConfig(AppConfig):
    name = "estuary_admin"

    def ready(self) -> None:
        from estuary_admin.checks import deployment as checks  # noqa: F401 - registers them
        from estuary_admin.observability import metrics  # noqa: F401 - connects the receivers

        if settings.SENTRY_DSN:
            from estuary_admin.observability import (  # imported only when used: costs time
                crash_reports,
            )

            crash_reports.start(settings.SENTRY_DSN, settings.SENTRY_ENVIRONMENT)
