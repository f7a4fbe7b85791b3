"""Sign-in by local accounts, by an OpenID provider, or by a proxy."""

from __future__ import annotations

from django.apps import AppConfig


class SsoConfig(AppConfig):
    name = "estuary_admin.sso"
    label = "sso"
