"""Sessions of members: how each began, for which identity, and how it ends."""

from __future__ import annotations

import hashlib
import zlib

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, get_user, login
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.http import HttpRequest

from estuary_admin.sso.config import BACKENDS
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.models import Identity
from estuary_admin.web.client_address import client_address

PROXY = f"{BACKENDS}.ProxyBackend"
OIDC = f"{BACKENDS}.OidcBackend"
#: Session keys.
IDENTITY = "sso_identity"  # the primary key of the identity that the session began with
PROVED_AT = "proved_at"  # when the member last proved who they are, in seconds
ID_TOKEN = "sso_id_token"  # noqa: S105 - tells the provider whom to sign out
END_SESSION = "sso_end_session"  # the provider's sign-out address
NO_COOKIE_YET = "sso_no_cookie_yet"  # no request has brought this session's cookie

CLIENT_GROUPS = 16  # of browsers and programs at one address


def is_local_session(request: HttpRequest) -> bool:
    """Whether the member signed in with a password or passkey of this console."""
    return request.user.is_authenticated and request.session[BACKEND_SESSION_KEY] not in {
        PROXY,
        OIDC,
    }


def has_password_here(request: HttpRequest) -> bool:
    """Whether the member signed in here and has a password of this console."""
    member = request.user
    return isinstance(member, User) and is_local_session(request) and member.has_usable_password()


def is_session_of(request: HttpRequest, identity: Identity) -> bool:
    return (
        request.user.is_authenticated
        and request.user.pk == identity.member_id
        and request.session.get(IDENTITY) == identity.pk
    )


def lacks_identity(request: HttpRequest) -> bool:
    """Whether an admin has removed the session's identity, its groups no longer let it in, or its
    provider is not configured."""
    if not request.user.is_authenticated or is_local_session(request):
        return False
    kept = Identity.objects.filter(pk=request.session.get(IDENTITY, 0), member_id=request.user.pk)
    linked = kept.filter(state=Identity.State.LINKED, source__in=settings.SSO.sources)
    return not linked.filter(is_admitted=True).exists()


def begin_session(request: HttpRequest, identity: Identity, backend: str) -> None:
    end_session(request, "changed-identity")
    # `login` makes a new session key, and a new CSRF token for the pages that follow.
    login(request, identity.member, backend=backend)
    request.session.set_expiry(0)  # until the browser closes
    request.session[IDENTITY] = identity.pk


def begin_proxy_session(request: HttpRequest, identity: Identity) -> None:
    """Begin a session, or reuse one whose cookie has not come back.

    A program without cookies would otherwise make a session and an audit row with each request.
    """
    name = _name_of_first_session(request, identity)
    if not request.session.keys() and _resume(request, identity, cache.get(name)):
        return
    begin_session(request, identity, PROXY)
    request.session[NO_COOKIE_YET] = True
    request.session.save()
    cache.set(name, request.session.session_key, settings.SESSION_COOKIE_AGE)


def _resume(request: HttpRequest, identity: Identity, session_key: str | None) -> bool:
    if session_key is None:
        return False
    own, request.session = request.session, type(request.session)(session_key)
    member = get_user(request)
    is_usable = request.session.get(IDENTITY) == identity.pk and member.pk == identity.member_id
    if not (is_usable and request.session.get(NO_COOKIE_YET)):
        request.session = own
        return False
    request.user = member
    request.session.modified = True  # so that the response sets the cookie
    return True


def _name_of_first_session(request: HttpRequest, identity: Identity) -> str:
    """The cache key, the same for few clients: nobody gets more sessions by more User-Agents."""
    group = zlib.crc32(request.META.get("HTTP_USER_AGENT", "").encode()) % CLIENT_GROUPS
    client = f"{client_address(request)} {group}"
    return f"sso-first:{identity.pk}:{hashlib.sha256(client.encode()).hexdigest()}"


def cookie_came_back(request: HttpRequest) -> None:
    """From now on the session belongs to this browser alone."""
    if request.session.get(NO_COOKIE_YET):
        del request.session[NO_COOKIE_YET]


def end_session(request: HttpRequest, reason: str) -> None:
    member = request.user
    request.session.flush()
    request.user = AnonymousUser()
    if isinstance(member, User):
        tell(request, Event.SESSION_ENDED, member, reason=reason)
