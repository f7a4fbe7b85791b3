"""The methods by which a member can prove their identity on the confirmation page."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest

from estuary_admin.security.factors import Factors, factors_of
from estuary_admin.sso.config import Provider
from estuary_admin.sso.models import Identity
from estuary_admin.sso.sessions import IDENTITY, OIDC, has_password_here

SIGNED_IN_AT = "signed_in_at"  # session key; seconds


@dataclass(frozen=True, slots=True)
class ProofMethods:
    password: bool
    factors: Factors
    provider: Provider | None
    proxy: bool  # sign out and in again there: its assertions tell the time of the sign-in

    def __bool__(self) -> bool:
        return bool(self.password or self.factors or self.provider or self.proxy)


def proof_methods_of(request: HttpRequest) -> ProofMethods:
    assertion = getattr(request, "sso_proof", None)  # only in sessions that a proxy began
    return ProofMethods(
        password=has_password_here(request),
        factors=factors_of(request.user),  # type: ignore[arg-type]
        provider=provider_of(request),
        proxy=assertion is not None and assertion.at is not None,
    )


def provider_of(request: HttpRequest) -> Provider | None:
    """Return the provider that began this session."""
    if request.session.get(BACKEND_SESSION_KEY) != OIDC:
        return None
    identity = Identity.objects.filter(pk=request.session.get(IDENTITY, 0)).first()
    known = {provider.issuer: provider for provider in settings.SSO.providers}
    return known.get(identity.source) if identity else None


def can_prove(request: HttpRequest) -> bool:
    """Whether to require a proof before the first factor is added.

    A member without any method adds the first factor without a proof. So does a member who has
    just come from a provider: some providers do not report `auth_time`.
    """
    methods = proof_methods_of(request)
    just_came = time.time() - request.session.get(SIGNED_IN_AT, 0) < 60 * settings.SUDO_MINUTES
    is_first = not methods.factors
    return bool(methods) and not (is_first and methods.provider and just_came)
