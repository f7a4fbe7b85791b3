"""Sessions of members: how each began, for which identity, and how it ends."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, login
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from estuary_admin.sso.config import BACKENDS
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.models import Identity

PROXY = f"{BACKENDS}.ProxyBackend"
OIDC = f"{BACKENDS}.OidcBackend"
#: Session keys.
IDENTITY = "sso_identity"  # the primary key of the identity that the session began with
PROVED_AT = "proved_at"  # when the member last proved who they are, in seconds
ID_TOKEN = "sso_id_token"  # noqa: S105 - tells the provider whom to sign out
END_SESSION = "sso_end_session"  # the provider's sign-out address


def is_local_session(request: HttpRequest) -> bool:
    """Whether the member signed in with a password or passkey of this console."""
    return request.user.is_authenticated and request.session[BACKEND_SESSION_KEY] not in {
        PROXY,
        OIDC,
    }


def is_session_of(request: HttpRequest, identity: Identity) -> bool:
    return (
        request.user.is_authenticated
        and request.user.pk == identity.member_id
        and request.session.get(IDENTITY) == identity.pk
    )


def lacks_identity(request: HttpRequest) -> bool:
    """Whether an admin has removed the session's identity, or its provider is not configured."""
    if not request.user.is_authenticated or is_local_session(request):
        return False
    kept = Identity.objects.filter(pk=request.session.get(IDENTITY, 0), member_id=request.user.pk)
    issuers = [provider.issuer for provider in settings.SSO.providers]
    return not kept.filter(state=Identity.State.LINKED, source__in=issuers).exists()


def begin_session(request: HttpRequest, identity: Identity, backend: str) -> None:
    end_session(request, "changed-identity")
    # `login` makes a new session key, and a new CSRF token for the pages that follow.
    login(request, identity.member, backend=backend)
    request.session[IDENTITY] = identity.pk


def end_session(request: HttpRequest, reason: str) -> None:
    member = request.user
    request.session.flush()
    request.user = AnonymousUser()
    if isinstance(member, User):
        tell(request, Event.SESSION_ENDED, member, reason=reason)
