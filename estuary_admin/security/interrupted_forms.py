"""What was typed into a form while a proof ran out: sealed in the session, for a short time."""

from __future__ import annotations

import json
import time

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.sealing import SealBroken, seal_for, unseal_for

TYPED = "typed"  # in the session: the page, since when, and the fields, sealed
KEPT_FOR = 600  # seconds
LONGEST = 1000  # of one field; what is longer is refused by every form there is


def keep(request: HttpRequest, there: str, fields: tuple[str, ...]) -> None:
    """Keep those fields for the form at `there`, and that it was sent at all."""
    sent = {name: request.POST.get(name, "") for name in fields}
    values = {name: value for name, value in sent.items() if 0 < len(value) <= LONGEST}
    request.session[TYPED] = {
        "there": there,
        "at": time.time(),
        "sealed": seal_for(_purpose(request), json.dumps(values)),
    }


@sensitive_variables("values")
def kept(request: HttpRequest) -> dict[str, str]:
    """What was typed into the form of this very page, if it is still there."""
    found = request.session.get(TYPED)
    if not found or found["there"] != request.path or is_over(found):
        return {}
    try:
        values: dict[str, str] = json.loads(unseal_for(_purpose(request), found["sealed"]))
    except SealBroken:
        return {}
    return values


@sensitive_variables("values")
def completed(request: HttpRequest) -> QueryDict:
    """The form as sent now, with what was typed before in fields left empty; that is used up."""
    values, data = kept(request), request.POST.copy()
    for name, value in values.items():
        if not data.get(name):
            data[name] = value
    forget(request)
    return data


def tell_of_interruption(request: HttpRequest, there: str) -> None:
    """Who pressed a button must not believe that it did anything."""
    found = request.session.get(TYPED)
    if found and found["there"] == there.partition("?")[0] and not is_over(found):
        messages.info(request, "Thank you. Nothing has been changed yet: press the button again.")


def forget(request: HttpRequest) -> None:
    request.session.pop(TYPED, None)


def forget_if_over(request: HttpRequest) -> None:
    """With each request of the session, whatever page it is for."""
    if (found := request.session.get(TYPED)) and is_over(found):
        forget(request)


def is_over(found: dict[str, float]) -> bool:
    return not 0 <= time.time() - found["at"] < KEPT_FOR


def _purpose(request: HttpRequest) -> str:
    """Opens for this member in this session only."""
    return f"typed:{request.user.pk}:{request.session.session_key}"
