"""How django-allauth behaves here: closed sign-up, addresses from named proxies only."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from estuary_admin.addresses import client_address


class LocalAccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Say nothing on sign-in and sign-out: the page that follows shows it."""
