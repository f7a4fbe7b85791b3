"""Keeps a form that was sent after the proof expired: sealed, in the session, for 10 minutes."""

from __future__ import annotations

import json
import time

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.no_token_fields import MAX_LISTED_CHARACTERS, looks_like_token
from estuary_admin.secrets.sealing import SealBroken, seal_for, unseal_for

INTERRUPTED_FORM = "typed"  # session key: page, time, sealed fields
KEEP_SECONDS = 600


@sensitive_variables("sent", "values")
def keep(request: HttpRequest, page: str, fields: tuple[str, ...], token_field: str = "") -> None:
    """Keep these fields for the form at `page`, and the fact that it was sent.

    A token that was pasted into a wrong field is not kept: only `token_field` is made for one.
    """
    sent = {name: request.POST.get(name, "") for name in (*fields, token_field) if name}
    values = {
        name: value
        for name, value in sent.items()
        if 0 < len(value) <= MAX_LISTED_CHARACTERS  # every form refuses longer values
        and (name == token_field or not looks_like_token(value))
    }
    request.session[INTERRUPTED_FORM] = {
        "there": page,
        "at": time.time(),
        "sealed": seal_for(_purpose(request), json.dumps(values)),
    }


@sensitive_variables("values")
def kept(request: HttpRequest) -> dict[str, str]:
    """Return the fields kept for the form on this page, or nothing."""
    found = request.session.get(INTERRUPTED_FORM)
    if not found or found["there"] != request.path or _is_over(found):
        return {}
    try:
        values: dict[str, str] = json.loads(unseal_for(_purpose(request), found["sealed"]))
    except SealBroken:
        return {}
    return values


@sensitive_variables("values")
def completed(request: HttpRequest) -> QueryDict:
    """Return the form as sent now, with empty fields filled from the kept ones; forget those."""
    values, data = kept(request), request.POST.copy()
    for name, value in values.items():
        if not data.get(name):
            data[name] = value
    forget(request)
    return data


def tell_of_interruption(request: HttpRequest, page: str) -> None:
    """Tell the member that the button they pressed did nothing yet."""
    found = request.session.get(INTERRUPTED_FORM)
    if found and found["there"] == page.partition("?")[0] and not _is_over(found):
        messages.info(request, "Thank you. Nothing has been changed yet: press the button again.")


def forget(request: HttpRequest) -> None:
    request.session.pop(INTERRUPTED_FORM, None)


def forget_if_over(request: HttpRequest) -> None:
    """Forget a kept form in time, whatever page the session asks for."""
    if _is_over(request.session[INTERRUPTED_FORM]):
        forget(request)


def _is_over(found: dict[str, float]) -> bool:
    return not 0 <= time.time() - found["at"] < KEEP_SECONDS


def _purpose(request: HttpRequest) -> str:
    """Bind the seal to this member and this session."""
    return f"typed:{request.user.pk}:{request.session.session_key}"
