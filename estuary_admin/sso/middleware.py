"""Signs members in by the proxy: proves the identity with each request, ends the session if not."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase

from estuary_admin.sso.group_roles import follow_groups
from estuary_admin.sso.header_identity import prove
from estuary_admin.sso.provisioning import admitted
from estuary_admin.sso.refusal_views import refused, reload_page
from estuary_admin.sso.refusals import Refused
from estuary_admin.sso.sessions import (
    begin_proxy_session,
    cookie_came_back,
    end_session,
    is_local_session,
    is_session_of,
    lacks_identity,
)
from estuary_admin.web.errors import csrf_failure
from estuary_admin.web.middleware import PROBE_PATHS

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
SIGNED_OUT_PATH = "/accounts/signed-out/"
#: Local sign-in: the password page, the second step, and the passkey.
LOCAL_PATHS = {"/accounts/local/", "/accounts/login/code/", "/accounts/login/passkey/"}
LINK_PATHS = "/accounts/link/"  # where members set a password of a local account
#: Calendar programs cannot sign in: the secret in the address is the proof.
FEED_PATH = re.compile(r"/feeds/[\w-]+/keys\.ics")


class ProxyIdentityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sso = settings.SSO
        if sso.mode == "local":
            return self.get_response(request)
        if sso.providers and lacks_identity(request):
            end_session(request, "identity-removed")
        if not sso.is_proxy or request.path_info in PROBE_PATHS or is_local_session(request):
            return self.get_response(request)
        if is_open(request.path_info):
            request.user = AnonymousUser()  # The cookie's member is not proved on these paths.
            return self.get_response(request)
        try:
            proved = prove(request.META, sso)
            identity = admitted(request, proved, sso)
        except Refused as refusal:
            return refused(request, refusal.reason)
        is_new = not is_session_of(request, identity)
        if is_new:
            begin_proxy_session(request, identity)
        else:
            cookie_came_back(request)
        follow_groups(request, request.user, proved.groups, sso)  # type: ignore[arg-type]
        if is_new and getattr(request, "htmx", False):
            return reload_page()  # The page that sent this belongs to another session.
        if is_new and request.method not in SAFE_METHODS:
            return csrf_failure(request)  # Django still accepts the other session's CSRF token.
        request.sso_proof = proved  # type: ignore[attr-defined]
        return self.get_response(request)


def is_open(path: str) -> bool:
    """Whether a path works without an identity from the proxy."""
    if path == SIGNED_OUT_PATH or FEED_PATH.fullmatch(path):
        return True
    is_local = path in LOCAL_PATHS or path.startswith(LINK_PATHS)
    return is_local and bool(settings.SSO.local_fallback)
