"""What follows a sign-in at a provider: the same rules as for proxies, and our own session."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from estuary_admin.sso import proof
from estuary_admin.sso.members import admitted
from estuary_admin.sso.middleware import OIDC, begin_session, refusal_page
from estuary_admin.sso.reasons import Reason, Refused
from estuary_admin.sso.roles import follow_groups

ID_TOKEN = "sso_id_token"  # noqa: S105 - in the session; tells the provider whom to sign out
END_SESSION = "sso_end_session"
PROVED_AT = "sso_proved_at"  # when the person last proved to be themselves, as seconds


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
        raise ImmediateHttpResponse(refusal_page(request, Reason.PROVIDER))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Sign in here and now; allauth's own accounts by e-mail are not used."""
        sso = settings.SSO
        try:
            proved = proof.from_claims(sociallogin.claims, sso)
            identity = admitted(request, proved, sso)
        except Refused as refusal:
            raise ImmediateHttpResponse(refusal_page(request, refusal.reason)) from None
        begin_session(request, identity, OIDC)
        request.session[ID_TOKEN] = sociallogin.id_token
        request.session[END_SESSION] = sociallogin.end_session
        request.session[PROVED_AT] = proved.at.timestamp() if proved.at else None
        follow_groups(request, identity.member, proved.groups, sso)
        raise ImmediateHttpResponse(redirect(here(request, sociallogin.state.get("next"))))


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
