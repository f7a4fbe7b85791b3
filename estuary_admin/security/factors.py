"""A member's second factors: which there are, taking them off, moving them to another key."""

from __future__ import annotations

from dataclasses import dataclass, field

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

from estuary_admin.secrets.sealing import SealBroken, is_newest, seal_for, unseal_for
from estuary_admin.security.adapter import PURPOSE
from estuary_admin.sso.middleware import is_local_session

Type = Authenticator.Type
HAS_FACTOR = "has_factor"  # in the session
SEALED = ("secret", "seed")  # within `data`: of apps, of recovery codes


@dataclass(frozen=True, slots=True)
class Factors:
    app: Authenticator | None = None
    passkeys: list[Authenticator] = field(default_factory=list)
    codes: Authenticator | None = None

    def __bool__(self) -> bool:
        """Recovery codes alone are none: they stand in for another."""
        return bool(self.app or self.passkeys)

    @property
    def count(self) -> int:
        return len(self.passkeys) + (self.app is not None)

    @property
    def codes_left(self) -> int:
        """Raises SealBroken when no sealing key opens them."""
        return len(self.codes.wrap().get_unused_codes()) if self.codes else 0


def factors_of(member: User) -> Factors:
    """All of them, by one query."""
    rows = list(Authenticator.objects.filter(user=member).order_by("pk"))
    return Factors(
        app=next((row for row in rows if row.type == Type.TOTP), None),
        passkeys=[row for row in rows if row.type == Type.WEBAUTHN],
        codes=next((row for row in rows if row.type == Type.RECOVERY_CODES), None),
    )


def must_have_factor(request: HttpRequest) -> bool:
    """Whether this member signed in here, where the operator wants more than a password."""
    return settings.REQUIRE_MFA and is_local_session(request)


def has_factor(request: HttpRequest) -> bool:
    """The session knows once there is one; until then each request looks."""
    if not request.session.get(HAS_FACTOR) and factors_of(request.user):  # type: ignore[arg-type]
        request.session[HAS_FACTOR] = True
    return bool(request.session.get(HAS_FACTOR))


def remove_all(member: User) -> int:
    """Take everything off, recovery codes included; returns how many there were."""
    return int(Authenticator.objects.filter(user=member).delete()[0])


def reseal_factors() -> tuple[int, int]:
    """Move the secrets of all factors to the newest sealing key; returns (moved, unreadable)."""
    moved = unreadable = 0
    for row in Authenticator.objects.exclude(type=Type.WEBAUTHN).iterator():
        old = {name: row.data[name] for name in SEALED if name in row.data}
        if all(is_newest(sealed) for sealed in old.values()):
            continue
        try:
            new = {
                name: seal_for(PURPOSE, unseal_for(PURPOSE, sealed)) for name, sealed in old.items()
            }
        except SealBroken:
            unreadable += 1
            continue
        # Compare and swap: a recovery code may be used right now.
        rows = Authenticator.objects.filter(pk=row.pk, data=row.data)
        moved += rows.update(data=row.data | new)
    return moved, unreadable
