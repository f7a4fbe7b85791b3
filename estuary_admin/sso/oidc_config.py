"""The providers of `oidc`: one by plain variables, or several as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.sso.reading import Reader

PROVIDER_ID = re.compile(r"[a-z0-9-]{1,40}")
EXAMPLE = '[{"id": "corp", "name": "Corp", "issuer": "https://…", "client_id": "…"}]'
SCOPES = "openid profile email"
KNOWN = {"id", "name", "issuer", "client_id", "client_secret", "scopes"}


@dataclass(frozen=True, slots=True)
class Provider:
    id: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: str = SCOPES


def providers(reader: Reader) -> tuple[Provider, ...]:
    several = reader.text("SSO_OIDC_PROVIDERS")
    one = {
        "id": "sso",
        "name": reader.text("SSO_OIDC_NAME", "single sign-on"),
        "issuer": reader.text("SSO_OIDC_ISSUER"),
        "client_id": reader.text("SSO_OIDC_CLIENT_ID"),
        "client_secret": reader.text("SSO_OIDC_CLIENT_SECRET"),
        "scopes": reader.text("SSO_OIDC_SCOPES", SCOPES),
    }
    if reader.mode != "oidc":
        return ()
    if several and one["issuer"]:
        raise ImproperlyConfigured("Set SSO_OIDC_PROVIDERS or SSO_OIDC_ISSUER, not both.")
    found = tuple(_provider(row) for row in (_rows(several) if several else [one]))
    for name in ("id", "issuer"):
        if len({getattr(provider, name) for provider in found}) < len(found):
            raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS: two providers have the same {name}.")
    return found


def _rows(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not rows:
        raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS must be JSON such as {EXAMPLE}.")
    return rows


def _provider(row: Any) -> Provider:
    # The row itself is not shown: it may hold a secret.
    is_well = isinstance(row, dict) and all(isinstance(value, str) for value in row.values())
    if not is_well or set(row) - KNOWN or not PROVIDER_ID.fullmatch(row.get("id", "")):
        raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS must be JSON such as {EXAMPLE}.")
    if not row.get("issuer") or not row.get("client_id"):
        raise ImproperlyConfigured(
            "SSO_MODE is 'oidc': set SSO_OIDC_ISSUER and SSO_OIDC_CLIENT_ID, or SSO_OIDC_PROVIDERS."
        )
    env.checked_url("SSO_OIDC_ISSUER", row["issuer"])
    if "openid" not in row.get("scopes", "openid").split():
        raise ImproperlyConfigured("SSO_OIDC_SCOPES must hold openid, such as openid profile.")
    return Provider(**{"name": row["id"], **row})
