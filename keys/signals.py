"""Audit entries for sign-ins, sign-outs and what the frame reports."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from estuary_admin.members import namesakes_of
from estuary_admin.sso.events import happened
from keys.account.preferences import take_into_session
from keys.actors import Actor, actor_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action


@receiver(user_logged_in)
def on_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    take_into_session(request, user)
    record_action(actor_of(request, user), Action.SIGNED_IN)


@receiver(user_logged_out)
def on_sign_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        record_action(actor_of(request, user), Action.SIGNED_OUT)


@receiver(user_login_failed)
def on_failed_sign_in(request: HttpRequest | None, credentials: dict[str, Any], **_: Any) -> None:
    if request is None:
        return
    # Only a name that exists is kept: people type passwords and tokens into this field too.
    name = str(credentials.get("username", ""))
    member = next(iter(namesakes_of(name)), None)
    is_signed_in = isinstance(getattr(request, "user", None), User)
    action = Action.PROOF_FAILED if is_signed_in else Action.SIGN_IN_FAILED
    record_action(actor_of(request, member), action)


@receiver(happened)
def on_event(
    request: HttpRequest | None,
    event: str,
    member: User | None,
    served: User | None,
    detail: dict[str, str],
    **_: Any,
) -> None:
    if request is None:
        record_action(Actor(None, "", "manage.py"), event, on_behalf_of=member, detail=detail)
    else:
        record_action(actor_of(request, member), event, on_behalf_of=served, detail=detail)
