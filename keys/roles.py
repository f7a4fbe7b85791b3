"""Member or admin: the two roles."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

ADMINS = "admins"  # the group that makes a member an admin


def is_admin(who: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether someone is an admin; asks the database once per request and member."""
    if not isinstance(who, User) or not who.is_active:
        return False
    if not hasattr(who, "_is_admin"):
        who._is_admin = who.groups.filter(name=ADMINS).exists()  # type: ignore[attr-defined]
    return bool(who._is_admin)  # type: ignore[attr-defined]
