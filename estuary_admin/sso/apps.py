"""Who is this: sign-in by accounts, by a provider, or by the proxy in front."""

from __future__ import annotations

from django.apps import AppConfig


class SsoConfig(AppConfig):
    name = "estuary_admin.sso"
    label = "sso"
