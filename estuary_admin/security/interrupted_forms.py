"""Keeps a form that was sent after the proof expired: sealed, in the session, for 10 minutes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.no_token_fields import MAX_LISTED_CHARACTERS, looks_like_token
from estuary_admin.secrets.sealing import SealBroken, seal_for, unseal_for

INTERRUPTED_FORM = "typed"  # session key: page, time, sealed fields
KEEP_SECONDS = 600
MAX_LIST_CHARACTERS = 25_000  # the hashes of 500 keys, as many as an off-boarding lists
STILL_THERE = "Thank you. Nothing has been changed yet: press the button again."
NOT_KEPT = "Thank you. Nothing was changed. Fill the form in again."


@dataclass(frozen=True, slots=True)
class KeptFields:
    """The fields of a form that are kept when the proof has expired before it is sent."""

    names: tuple[str, ...] = ()
    #: Fields with several values, of which a browser sends nothing when none is chosen.
    lists: tuple[str, ...] = ()
    #: The one that a token is pasted into: from the others no token is kept.
    token: str = ""
    #: False if it has more to fill in, such as a password, that is not kept.
    are_all: bool = True


@sensitive_variables("sent", "values")
def keep(request: HttpRequest, page: str, fields: KeptFields) -> None:
    """Keep these fields for the form at `page`, and the fact that it was sent.

    Empty ones are kept too: the member may have cleared a field, or chosen nothing from a list.
    """
    sent: dict[str, str | list[str]] = {
        name: request.POST[name] for name in (*fields.names, fields.token) if name in request.POST
    }
    if sent or any(name in request.POST for name in fields.lists):
        sent |= {name: request.POST.getlist(name) for name in fields.lists}
    values = {name: value for name, value in sent.items() if _may_keep(name, value, fields)}
    request.session[INTERRUPTED_FORM] = {
        "there": page,
        "at": time.time(),
        "is_whole": fields.are_all and values == sent,
        "sealed": seal_for(_purpose(request), json.dumps(values)),
    }


def _may_keep(name: str, value: str | list[str], fields: KeptFields) -> bool:
    """Whether a form would accept this: neither a token in a wrong field nor too long a text."""
    if isinstance(value, list):
        is_short = sum(map(len, value)) <= MAX_LIST_CHARACTERS
        return is_short and not any(map(looks_like_token, value))
    is_short = len(value) <= MAX_LISTED_CHARACTERS
    return is_short and (name == fields.token or not looks_like_token(value))


@sensitive_variables("values")
def kept(request: HttpRequest) -> dict[str, Any]:
    """Return the fields kept for the form on this page, or nothing."""
    found = request.session.get(INTERRUPTED_FORM)
    if not found or found["there"] != request.path or _is_over(found):
        return {}
    try:
        values: dict[str, Any] = json.loads(unseal_for(_purpose(request), found["sealed"]))
    except SealBroken:
        return {}
    return values


@sensitive_variables("token")
def completed(request: HttpRequest, token_field: str) -> QueryDict:
    """Return the form as sent now, with the kept token if no other was pasted; forget it."""
    token, data = kept(request).get(token_field, ""), request.POST.copy()
    if not data.get(token_field):
        data[token_field] = token
    forget(request)
    return data


def tell_of_interruption(request: HttpRequest, page: str) -> None:
    """Tell the member that the button they pressed did nothing yet."""
    found = request.session.get(INTERRUPTED_FORM)
    if found and found["there"] == page.partition("?")[0] and not _is_over(found):
        messages.info(request, STILL_THERE if found.get("is_whole", True) else NOT_KEPT)


def forget(request: HttpRequest) -> None:
    request.session.pop(INTERRUPTED_FORM, None)


def forget_if_over(request: HttpRequest) -> None:
    """Forget a kept form in time, whatever page the session asks for."""
    if _is_over(request.session[INTERRUPTED_FORM]):
        forget(request)


def _is_over(found: dict[str, Any]) -> bool:
    return not 0 <= time.time() - found["at"] < KEEP_SECONDS


def _purpose(request: HttpRequest) -> str:
    """Bind the seal to this member and this session."""
    return f"typed:{request.user.pk}:{request.session.session_key}"
