"""Member or admin: the two roles."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

ADMINS = "admins"  # the group that makes a member an admin


def is_admin(who: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether someone is an admin; asks the database once per request and member."""
    if not isinstance(who, User) or not who.is_active:
        return False
    if not hasattr(who, "is_console_admin"):
        who.is_console_admin = who.groups.filter(name=ADMINS).exists()  # type: ignore[attr-defined]
    return bool(who.is_console_admin)  # type: ignore[attr-defined]
