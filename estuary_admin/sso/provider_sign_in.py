"""Signs a member in after the provider's answer, by the same rules as behind a proxy."""

from __future__ import annotations

import time
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from estuary_admin.sso.assertion import CLOCK_LEEWAY_SECONDS, identity_from_claims
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.group_roles import follow_groups
from estuary_admin.sso.identity_values import ProvedIdentity
from estuary_admin.sso.models import Identity
from estuary_admin.sso.provider_http import open_session
from estuary_admin.sso.provisioning import admitted
from estuary_admin.sso.refusals import NotBelieved, Refused
from estuary_admin.sso.sessions import (
    END_SESSION,
    ID_TOKEN,
    IDENTITY,
    OIDC,
    PROVED_AT,
    begin_session,
    end_session,
)
from estuary_admin.web.redirects import can_visit

ASKED_AT = "proof_asked_at"  # in the flow's state: when a signed-in member was sent to prove again

#: The errors of RFC 6749 that are neither the client's nor its settings' fault.
PROVIDER_ERRORS = {
    "access_denied": NotBelieved.CANCELLED,
    "server_error": NotBelieved.PROVIDER_BUSY,
    "temporarily_unavailable": NotBelieved.PROVIDER_BUSY,
}


class ProviderAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self,
        request: HttpRequest,  # noqa: ARG002
        provider: str | None = None,
        client_id: str | None = None,  # noqa: ARG002
    ) -> list[SocialApp]:
        """Return the providers of the environment; allauth's database rows are never used."""
        return [
            SocialApp(
                provider="openid_connect",
                provider_id=one.id,
                name=one.name,
                client_id=one.client_id,
                secret=one.client_secret,
                settings={
                    "issuer": one.issuer,
                    "server_url": one.issuer.rstrip("/"),
                    "scope": one.scopes.split(),
                },
            )
            for one in settings.SSO.providers
            if provider in {None, one.id}
        ]

    def get_requests_session(self) -> Any:
        """Connect to the provider directly, and within limits."""
        return open_session()

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Called when the sign-in's state is unknown, or the provider sent an error, not a code."""
        error = request.GET.get("error", "")
        is_known = bool((extra_context or {}).get("state"))
        # Some providers send no state with an error; to a signed-in member it means nothing then.
        if not is_known and (request.user.is_authenticated or not error):
            raise Refused(NotBelieved.SIGN_IN_LOST)
        raise Refused(PROVIDER_ERRORS.get(error, NotBelieved.PROVIDER_DECLINED))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Sign the member in here: allauth's own accounts, found by e-mail, are not used."""
        sso = settings.SSO
        proved = identity_from_claims(sociallogin.claims, sso)
        try:
            identity = admitted(request, proved, sso)
        except Refused:
            if sociallogin.state.get(ASKED_AT):
                # A member who asked for a fresh proof and is no longer admitted loses the session.
                end_session(request, "not-admitted")
            raise
        if asked := sociallogin.state.get(ASKED_AT):
            raise ImmediateHttpResponse(renew_proof(request, sociallogin, identity, proved, asked))
        begin_session(request, identity, OIDC)
        request.session[ID_TOKEN] = sociallogin.id_token
        request.session[END_SESSION] = sociallogin.end_session
        request.session[PROVED_AT] = proved.at.timestamp() if proved.at else None
        follow_groups(request, identity.member, proved.groups, sso)
        raise ImmediateHttpResponse(redirect(own_page(sociallogin.state.get("next"))))


def renew_proof(
    request: HttpRequest,
    sociallogin: Any,
    identity: Identity,
    proved: ProvedIdentity,
    asked: float,
) -> HttpResponse:
    """Store the fresh proof in the open session; raise Refused and leave it alone otherwise."""
    at = proved.at.timestamp() if proved.at else 0
    if not request.user.is_authenticated or request.session.get(IDENTITY) != identity.pk:
        raise Refused(NotBelieved.SOMEBODY_ELSE)
    if not asked - CLOCK_LEEWAY_SECONDS <= at <= time.time() + CLOCK_LEEWAY_SECONDS:
        raise Refused(NotBelieved.NO_FRESH_PROOF)
    request.session[PROVED_AT] = at
    request.session[ID_TOKEN] = sociallogin.id_token
    tell(request, Event.PROOF_GIVEN, way="provider")
    follow_groups(request, identity.member, proved.groups, settings.SSO)
    # Back to the page that asked for the proof: it leads on, and says what was interrupted.
    query = urlencode({"next": own_page(sociallogin.state.get("next"))})
    return redirect(f"{reverse('account_reauthenticate')}?{query}")


def own_page(url: str | None) -> str:
    """Return `url` if it is a page of this console, else the home page."""
    return url if url and can_visit(url) else reverse("home")


def provider_sign_out(session: Any, back: str) -> str:
    """The address that ends the provider's session (RP-initiated logout), or "" without one."""
    if not session.get(END_SESSION):
        return ""
    query = {"id_token_hint": session[ID_TOKEN], "post_logout_redirect_uri": back}
    separator = "&" if "?" in session[END_SESSION] else "?"
    return f"{session[END_SESSION]}{separator}{urlencode(query)}"
