"""Makes allauth's OpenID Connect strict. allauth finds this module by its name."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any, cast

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
)
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib.auth.models import User
from django.http import HttpRequest

from estuary_admin.sso.assertion import token_in, verified_claims
from estuary_admin.sso.config import AssertionRules
from estuary_admin.sso.discovery import DiscoveryFailed, discover
from estuary_admin.sso.environment import ALGORITHMS
from estuary_admin.sso.provider_sign_in import ASKED_AT
from estuary_admin.sso.refusals import NotBelieved, Refused
from estuary_admin.web.addresses import public_address


def nonce_of(verifier: str) -> str:
    """The nonce of this one sign-in: the PKCE verifier never leaves our session."""
    return hashlib.sha256(f"nonce of {verifier}".encode()).hexdigest()


class Adapter(OpenIDConnectOAuth2Adapter):
    """Verifies what allauth does not: the signature, the nonce, and that both answers agree."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's description, fetched once for each sign-in."""
        if not hasattr(self, "_openid_config"):
            try:
                self._openid_config = discover(self.issuer)
            except DiscoveryFailed:
                raise Refused(NotBelieved.PROVIDER_UNAVAILABLE) from None
        return self._openid_config

    @property
    def issuer(self) -> str:
        return str(self.get_provider().app.settings["issuer"])

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:  # noqa: ARG002
        return public_address("oidc_callback", provider_id=self.provider_id)

    def get_access_token_data(
        self, request: HttpRequest, app: Any, client: Any, pkce_code_verifier: str | None = None
    ) -> Any:
        self.nonce = nonce_of(pkce_code_verifier or "")
        try:
            found = super().get_access_token_data(request, app, client, pkce_code_verifier)
            # The others, such as `expires_in`, are not used, and may be malformed.
            return {name: found.get(name) for name in ("access_token", "id_token")}
        except OSError:  # the network, or a failure of the provider itself
            raise Refused(NotBelieved.PROVIDER_BUSY) from None
        except (OAuth2Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Refused(NotBelieved.PROVIDER_FAILED) from None

    def complete_login(
        self,
        request: HttpRequest,  # noqa: ARG002
        app: Any,
        token: Any,
        **kwargs: Any,
    ) -> SocialLogin:
        id_token = str(kwargs["response"].get("id_token") or "")
        claims = self.verified_id_token(id_token, app.client_id)
        if "userinfo_endpoint" in self.openid_config:
            claims = {**self.userinfo(token.token, claims["sub"]), **claims}
        account = SocialAccount(provider=self.provider_id, uid=str(claims["sub"])[:191])
        login = SocialLogin(user=User(), account=account, provider=self.get_provider())
        login.claims, login.id_token = claims, id_token
        login.end_session = self.openid_config.get("end_session_endpoint", "")
        return login

    def verified_id_token(self, id_token: str, client_id: str) -> dict[str, Any]:
        rules = AssertionRules(
            header="",
            jwks_url=self.openid_config["jwks_uri"],
            issuer=self.issuer,
            audience=(client_id,),
            algorithms=tuple(sorted(ALGORITHMS)),
        )
        claims = verified_claims(token_in(id_token), rules)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), self.nonce.encode()):
            raise Refused(NotBelieved.WRONG_NONCE)
        if claims.get("azp", client_id) != client_id:
            raise Refused(NotBelieved.WRONG_AUDIENCE)
        if not claims.get("sub"):
            raise Refused(NotBelieved.INCOMPLETE)
        return claims

    def userinfo(self, access_token: str, sub: str) -> dict[str, Any]:
        try:
            found = self._fetch_user_info(access_token)
        except (OSError, ValueError, RecursionError):
            raise Refused(NotBelieved.USER_INFO_FAILED) from None
        if not isinstance(found, dict) or found.get("sub") != sub:
            raise Refused(NotBelieved.MIXED_UP)
        return cast(dict[str, Any], found)


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = Adapter
    pkce_enabled_default = True

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Read the next page and whether a fresh proof is wanted; ignore all other parameters."""
        found = {"process": "login", "next_url": get_next_redirect_url(request)}
        if not request.POST.get("proof"):
            return found
        # The provider must ask the person again. The time of asking limits the answer's age.
        again = {**self.get_auth_params(), "prompt": "login", "max_age": "0"}
        return {**found, "auth_params": again, ASKED_AT: time.time()}

    def get_pkce_params(self) -> dict[str, str]:
        params: dict[str, str] = super().get_pkce_params()
        return {**params, "nonce": nonce_of(params["code_verifier"])}


provider_classes = [Provider]
