"""Links that fill the form of a new key: `/keys/new/?label=ci&lifetime=90d&permission=upload`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse

from keys.api_keys.forms import COMPLETED_BY, KeyCreateForm, lifetime_fields
from keys.policy.rules import Policy
from keys.upstream.redaction import hides_token, holds_token

FIELDS = ("label", "lifetime", "custom_lifetime", "ends_on", "permission", "purpose")


@dataclass(frozen=True, slots=True)
class Prefill:
    """The values of a link that the form accepts, and why it refuses the others."""

    values: dict[str, str]
    refused: dict[str, str]


def holds_secret(params: Mapping[str, str]) -> bool:
    """Whether a link holds a token, which then belongs neither in the form nor in the address."""
    texts = (text for pair in params.items() for text in pair)
    return any(holds_token(text) or hides_token(text) for text in texts)


def prefill_of(params: Mapping[str, str], policy: Policy, *, is_admin: bool) -> Prefill:
    """Check what a link asks for as if it had been submitted; what it leaves out is no error."""
    asked = {name: params[name] for name in FIELDS if params.get(name)}
    for choice, field in COMPLETED_BY.items():
        if field in asked:
            asked.setdefault("lifetime", choice)
    if not asked:
        return Prefill({}, {})
    form = KeyCreateForm(policy=policy, is_admin=is_admin)
    usual = {name: str(form[name].value() or "") for name in FIELDS}
    form = KeyCreateForm(usual | asked, policy=policy, is_admin=is_admin)
    refused = {name: str(errors[0]) for name, errors in form.errors.items() if name in asked}
    return Prefill({name: asked[name] for name in asked.keys() - refused.keys()}, refused)


def address_like(
    label: str, purpose: str = "", permission: str = "", lifetime: timedelta | str | None = ""
) -> str:
    """The form filled in with a key like this one; "" is what is not known."""
    asked = {"label": label, "permission": permission, "purpose": purpose}
    if not isinstance(lifetime, str):
        asked |= lifetime_fields(lifetime)
    said = {name: value for name, value in asked.items() if value}
    return f"{reverse('keys:key_create')}?{urlencode(said)}"
