"""Sign-in by the proxy in front: proved anew with every request, and ended when it stops."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, login
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from estuary_admin.observability.metrics import SIGN_INS
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.group_roles import follow_groups
from estuary_admin.sso.header_identity import prove
from estuary_admin.sso.models import Identity
from estuary_admin.sso.provisioning import admitted
from estuary_admin.sso.reasons import Reason, Refused
from estuary_admin.web.client_address import client_address
from estuary_admin.web.errors import csrf_failure
from estuary_admin.web.health import PROBE_PATHS

logger = logging.getLogger("estuary_admin.sso")

PROXY = "estuary_admin.sso.backends.ProxyBackend"
OIDC = "estuary_admin.sso.backends.OidcBackend"
IDENTITY = "sso_identity"  # in the session: the row of the identity it was begun for
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
SIGNED_OUT = "/accounts/signed-out/"
#: The way in by password, with its second step and its substitute.
LOCAL = {"/accounts/local/", "/accounts/login/code/", "/accounts/login/passkey/"}
RECORDED_EVERY = 60  # seconds: an audit that anybody can fill is none


class ProxyIdentityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sso = settings.SSO
        if sso.providers and lacks_identity(request):
            end_session(request, "identity-removed")
        if not sso.is_proxy or request.path_info in PROBE_PATHS or is_local_session(request):
            return self.get_response(request)
        if request.path_info in ({SIGNED_OUT, *LOCAL} if sso.local_fallback else {SIGNED_OUT}):
            request.user = AnonymousUser()  # whoever the cookie says: it is not proved here
            return self.get_response(request)
        try:
            proved = prove(request.META, sso)
            identity = admitted(request, proved, sso)
        except Refused as refusal:
            return refused(request, refusal.reason)
        is_new = not is_session_of(request, identity)
        if is_new:
            begin_session(request, identity, PROXY)
        follow_groups(request, request.user, proved.groups, sso)  # type: ignore[arg-type]
        if is_new and getattr(request, "htmx", False):
            return whole_page_please()  # the part was asked for by another session's page
        if is_new and request.method not in SAFE:
            return csrf_failure(request)  # and so was this sent: Django takes the token still
        request.sso_proof = proved  # type: ignore[attr-defined]
        return self.get_response(request)


def is_local_session(request: HttpRequest) -> bool:
    """Begun at /accounts/local/. Django believes it only while SSO_LOCAL_FALLBACK allows it."""
    return request.user.is_authenticated and request.session[BACKEND_SESSION_KEY] not in {
        PROXY,
        OIDC,
    }


def lacks_identity(request: HttpRequest) -> bool:
    """Begun for an identity that an admin has removed since, or at a provider no longer trusted."""
    if not request.user.is_authenticated or is_local_session(request):
        return False
    kept = Identity.objects.filter(pk=request.session.get(IDENTITY, 0), member_id=request.user.pk)
    issuers = [provider.issuer for provider in settings.SSO.providers]
    return not kept.filter(state=Identity.State.LINKED, source__in=issuers).exists()


def is_session_of(request: HttpRequest, identity: Identity) -> bool:
    return (
        request.user.is_authenticated
        and request.user.pk == identity.member_id
        and request.session.get(IDENTITY) == identity.pk
    )


def begin_session(request: HttpRequest, identity: Identity, backend: str) -> None:
    end_session(request, "changed-identity")
    # Gives a new session key, and a new CSRF token for the pages that follow.
    login(request, identity.member, backend=backend)
    request.session[IDENTITY] = identity.pk


def end_session(request: HttpRequest, why: str) -> None:
    who = request.user
    request.session.flush()
    request.user = AnonymousUser()
    if isinstance(who, User):
        tell(request, Event.SESSION_ENDED, who, reason=why)


def refused(request: HttpRequest, reason: Reason) -> HttpResponseBase:
    """End the session and say why; never go on as somebody else or as nobody."""
    end_session(request, reason.code)
    return refusal_page(request, reason)


def refusal_page(request: HttpRequest, reason: Reason) -> HttpResponseBase:
    logger.warning("sso_refused", extra={"reason": reason.code})
    SIGN_INS.labels("sso-refused").inc()
    address = client_address(request)
    if cache.add(f"sso-refused:{reason.code}:{address}", 1, RECORDED_EVERY):
        tell(request, Event.REFUSED, reason=reason.code)
    if getattr(request, "htmx", False):
        return whole_page_please()
    response = render(request, "sso/refused.html", {"reason": reason}, status=403)
    patch_vary_headers(response, ["HX-Request"])
    return response


def whole_page_please() -> HttpResponse:
    """For htmx, which would swap a page into a part, or follow a redirect into it."""
    response = HttpResponse(status=401, headers={"HX-Refresh": "true"})
    patch_vary_headers(response, ["HX-Request"])
    return response
