"""Sign-in security: second factors, fresh proofs, sessions."""

from __future__ import annotations

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "estuary_admin.security"
    label = "security"

    def ready(self) -> None:
        from estuary_admin.security import signals  # noqa: F401 - connects the receivers
