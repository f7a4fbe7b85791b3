"""Sign-ins are counted as Django tells of them; what single sign-on refuses, it counts itself."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from estuary_admin.observability.metrics.registry import SIGN_INS


@receiver(user_logged_in)
def on_sign_in(**_: Any) -> None:
    SIGN_INS.labels("signed-in").inc()


@receiver(user_login_failed)
def on_failed_sign_in(request: HttpRequest | None, **_: Any) -> None:
    if not getattr(getattr(request, "user", None), "is_authenticated", False):  # else: asked again
        SIGN_INS.labels("refused").inc()
