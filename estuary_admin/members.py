"""Names of members, the two roles, member and admin, and the guard of what only admins may do."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponseBase

from estuary_admin.sso.events import Event, tell
from estuary_admin.storage.prepared_queries import PreparedQuery
from estuary_admin.unicode_text import without_invisible

View = Callable[..., HttpResponseBase]

MAX_TYPED_NAME = 1000  # a name has at most 150 characters, each of which may be typed in parts
ADMINS = "admins"  # the group that makes a member an admin


def is_admin(who: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether someone is an admin; asks the database once per request and member."""
    if not isinstance(who, User) or not who.is_active:
        return False
    if not hasattr(who, "is_console_admin"):
        who.is_console_admin = bool(_in_group().rows(who.pk, ADMINS))  # type: ignore[attr-defined]
    return bool(who.is_console_admin)  # type: ignore[attr-defined]


@cache
def _in_group() -> PreparedQuery[Any]:
    # Every page asks it: admins have more in the bar.
    found = User.groups.through.objects.filter(user=0).filter(group__name="")
    return PreparedQuery(found.values_list("pk"))


def deny_unless_admin(request: HttpRequest, wanted: str) -> None:
    """Let admins pass; for everybody else write an audit row and answer 403."""
    if not is_admin(request.user):
        tell(request, Event.ACCESS_DENIED, wanted=wanted)
        raise PermissionDenied


def admins_only(view: View) -> View:
    """A view for admins; the audit row of a refusal names the view."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        deny_unless_admin(request, wanted=view.__name__)
        return view(request, *args, **kwargs)

    wrapper.access = "admin"  # type: ignore[attr-defined]
    return cast(View, wrapper)


def namesakes_of(name: str) -> list[User]:
    """The members whose names read the same: neither case nor Unicode's variants of letters count.

    Compared here: SQLite knows the case of ASCII letters alone. One of exactly this name is first.
    """
    if len(name) > MAX_TYPED_NAME:  # normalising takes quadratic time for combining characters
        return []
    wanted = _as_read(name)
    names = User.objects.values_list("pk", "username").iterator()
    found = User.objects.filter(pk__in=[pk for pk, known in names if _as_read(known) == wanted])
    return sorted(found, key=lambda member: (member.username != name, member.pk))


def name_problem(username: str, email: str) -> str:
    """Why no member of this name can be made, as a sentence; "" when one can."""
    if found := namesakes_of(username):
        return f"There is a member called {found[0].username} already."
    if without_invisible(username) != username:
        return "The name holds characters that nobody can see. Type it again."
    try:
        User(username=username, email=email).full_clean(exclude=["password"])
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _as_read(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
