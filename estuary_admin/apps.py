from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_delete, post_save


class EstuaryAdminConfig(AppConfig):
    name = "estuary_admin"

    def ready(self) -> None:
        from estuary_admin.checks import deployment as checks  # noqa: F401 - registers them
        from estuary_admin.observability.metrics import (  # noqa: F401 - connects the receivers
            sign_ins,
        )

        if settings.SENTRY_DSN:
            from estuary_admin.observability import (  # imported only when used: costs time
                crash_reports,
            )

            crash_reports.start(settings.SENTRY_DSN, settings.SENTRY_ENVIRONMENT)
        if settings.SESSION_ENGINE == "estuary_admin.storage.cached_sessions":
            from estuary_admin.storage.cached_sessions import on_change

            for signal in (post_save, post_delete):
                signal.connect(on_change, sender="sessions.Session", dispatch_uid="sessions")
