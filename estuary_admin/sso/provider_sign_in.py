"""What follows a sign-in at a provider: the same rules as for proxies, and our own session."""

from __future__ import annotations

import time
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from estuary_admin.security.fresh_proof import CLOCK_LEEWAY_SECONDS, PROVED_AT
from estuary_admin.security.interrupted_forms import tell_of_interruption
from estuary_admin.sso import header_identity
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.group_roles import follow_groups
from estuary_admin.sso.identity_errors import NotBelieved
from estuary_admin.sso.middleware import IDENTITY, OIDC, begin_session, refusal_page, refused
from estuary_admin.sso.models import Identity
from estuary_admin.sso.provisioning import admitted
from estuary_admin.sso.reasons import Reason, Refused

ID_TOKEN = "sso_id_token"  # noqa: S105 - in the session; tells the provider whom to sign out
END_SESSION = "sso_end_session"
ASKED_AT = "proof_asked_at"  # in the flow's state, when somebody signed in is to prove it anew


class ProviderAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self,
        request: HttpRequest,  # noqa: ARG002
        provider: str | None = None,
        client_id: str | None = None,  # noqa: ARG002
    ) -> list[SocialApp]:
        """Those of the environment; rows of the database are never asked for."""
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
            if provider in {None, one.id, "openid_connect"}
        ]

    def get_requests_session(self) -> Any:
        """Straight to the provider: no proxies or passwords of the environment, no redirects."""
        session = super().get_requests_session()
        session.trust_env = False
        session.max_redirects = 0
        return session

    def on_authentication_error(self, request: HttpRequest, *_: Any, **__: Any) -> None:
        raise ImmediateHttpResponse(refusal_page(request, NotBelieved.PROVIDER))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Sign in here and now; allauth's own accounts by e-mail are not used."""
        sso = settings.SSO
        try:
            proved = header_identity.from_claims(sociallogin.claims, sso)
            identity = admitted(request, proved, sso)
        except Refused as refusal:
            # Whoever is not admitted now is not kept in by a session of before.
            page = refused if sociallogin.state.get(ASKED_AT) else refusal_page
            raise ImmediateHttpResponse(page(request, refusal.reason)) from None
        if asked := sociallogin.state.get(ASKED_AT):
            raise ImmediateHttpResponse(proved_anew(request, sociallogin, identity, proved, asked))
        begin_session(request, identity, OIDC)
        request.session[ID_TOKEN] = sociallogin.id_token
        request.session[END_SESSION] = sociallogin.end_session
        request.session[PROVED_AT] = proved.at.timestamp() if proved.at else None
        follow_groups(request, identity.member, proved.groups, sso)
        raise ImmediateHttpResponse(redirect(here(request, sociallogin.state.get("next"))))


def proved_anew(
    request: HttpRequest,
    sociallogin: Any,
    identity: Identity,
    proved: header_identity.Proved,
    asked: float,
) -> HttpResponse:
    """The session goes on, with a young proof in it; or as it was, and the page says why."""
    at = proved.at.timestamp() if proved.at else 0
    if not request.user.is_authenticated or request.session.get(IDENTITY) != identity.pk:
        return no_proof_page(request, NotBelieved.SOMEBODY_ELSE)
    if not asked - CLOCK_LEEWAY_SECONDS <= at <= time.time() + CLOCK_LEEWAY_SECONDS:
        return no_proof_page(request, NotBelieved.NO_FRESH_PROOF)
    request.session[PROVED_AT] = at
    request.session[ID_TOKEN] = sociallogin.id_token
    tell(request, Event.PROOF_GIVEN, way="provider")
    follow_groups(request, identity.member, proved.groups, settings.SSO)
    there = here(request, sociallogin.state.get("next"))
    tell_of_interruption(request, there)
    return redirect(there)


def no_proof_page(request: HttpRequest, reason: Reason) -> HttpResponse:
    tell(request, Event.PROOF_FAILED, reason=reason.code)
    return render(request, "sso/no_proof.html", {"reason": reason}, status=403)


def here(request: HttpRequest, url: str | None) -> str:
    hosts = {request.get_host()}
    if url and url_has_allowed_host_and_scheme(url, hosts, require_https=request.is_secure()):
        return url
    return "home"


def provider_sign_out(session: Any, back: str) -> str:
    """Where the provider ends its own session (RP-initiated logout), or "" if it does not."""
    if not session.get(END_SESSION):
        return ""
    query = {"id_token_hint": session[ID_TOKEN], "post_logout_redirect_uri": back}
    separator = "&" if "?" in session[END_SESSION] else "?"
    return f"{session[END_SESSION]}{separator}{urlencode(query)}"
