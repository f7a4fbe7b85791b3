"""Reads an OpenID provider's description of itself."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from requests import RequestException

from estuary_admin.environment import checked_url
from estuary_admin.sso.provider_http import fetch_json

REQUIRED_ENDPOINTS = ["authorization_endpoint", "token_endpoint", "jwks_uri"]
OPTIONAL_ENDPOINTS = ["userinfo_endpoint", "end_session_endpoint"]


class DiscoveryFailed(Exception):
    """The provider cannot be used; the message is a sentence for the operator."""


def discover(issuer: str) -> dict[str, Any]:
    """Fetch and check the description. The errors are not chained: they quote addresses."""
    try:
        found = fetch_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    except RequestException:
        raise DiscoveryFailed(
            "The provider does not answer, not in time, or with a redirect."
        ) from None
    except ValueError as error:
        raise DiscoveryFailed(f"The provider does not describe itself. {error}") from None
    if found.get("issuer") != issuer:
        raise DiscoveryFailed(f"The provider calls itself {str(found.get('issuer'))[:200]!r}.")
    for name in REQUIRED_ENDPOINTS + [name for name in OPTIONAL_ENDPOINTS if name in found]:
        check_endpoint(name, found.get(name))
    return found


def check_endpoint(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise DiscoveryFailed(f"The provider's description lacks {name}.")
    try:
        checked_url(name, value.partition("?")[0])
    except ImproperlyConfigured:
        raise DiscoveryFailed(f"The provider's {name} is not an https address.") from None
