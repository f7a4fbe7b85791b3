"""By what a member can prove here and now to be themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.http import HttpRequest

from estuary_admin.security.factors import Factors, factors_of
from estuary_admin.sso.middleware import IDENTITY, OIDC, is_local_session
from estuary_admin.sso.models import Identity
from estuary_admin.sso.oidc_config import Provider

SIGNED_IN_AT = "signed_in_at"  # in the session, as seconds


@dataclass(frozen=True, slots=True)
class Ways:
    password: bool
    factors: Factors
    provider: Provider | None
    proxy: bool  # signing in there anew: its assertions tell when that was

    def __bool__(self) -> bool:
        return bool(self.password or self.factors or self.provider or self.proxy)


def has_password_here(request: HttpRequest) -> bool:
    """Somebody else vouches for who has none, or did not come in by it."""
    member = request.user
    return isinstance(member, User) and is_local_session(request) and member.has_usable_password()


def ways_of(request: HttpRequest) -> Ways:
    brought = getattr(request, "sso_proof", None)  # which sessions by password do not have
    return Ways(
        password=has_password_here(request),
        factors=factors_of(request.user),  # type: ignore[arg-type]
        provider=provider_of(request),
        proxy=brought is not None and brought.at is not None,
    )


def provider_of(request: HttpRequest) -> Provider | None:
    """The provider at which this session was begun."""
    if request.session.get(BACKEND_SESSION_KEY) != OIDC:
        return None
    identity = Identity.objects.filter(pk=request.session.get(IDENTITY, 0)).first()
    known = {one.issuer: one for one in settings.SSO.providers}
    return known.get(identity.source) if identity else None


def could_prove(request: HttpRequest) -> bool:
    """Whether a proof can be asked before the first factor is added.

    Who has no way at all adds the first one on the strength of the session, and so does who came
    from a provider just now: some providers never tell when somebody signed in there.
    """
    ways = ways_of(request)
    just_came = time.time() - request.session.get(SIGNED_IN_AT, 0) < 60 * settings.SUDO_MINUTES
    is_first = not ways.factors
    return bool(ways) and not (is_first and ways.provider and just_came)
