"""A member's second factors: list, require, seal, reseal and remove them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from estuary_admin.secrets.sealing import SealBroken, is_newest, seal_for, unseal_for
from estuary_admin.sso.sessions import is_local_session

Type = Authenticator.Type
HAS_FACTOR = "has_factor"  # session key
LAST_STEP = "last_step"  # in `Authenticator.data` of an app: the time step of its last used code
SEALED_FIELDS = ("secret", "seed")  # in `Authenticator.data`: of apps, of recovery codes

#: The seal names the purpose, not the member: allauth does not say whose secret it encrypts.
#: Someone who can move sealed secrets between rows can also delete the rows.
SEAL_PURPOSE = "second-factor"


def seal_secret(text: str) -> str:
    return seal_for(SEAL_PURPOSE, text)


def unseal_secret(sealed: str) -> str:
    """Raises SealBroken when no sealing key opens it."""
    return unseal_for(SEAL_PURPOSE, sealed)


@dataclass(frozen=True, slots=True)
class Factors:
    app: Authenticator | None = None
    passkeys: list[Authenticator] = field(default_factory=list)
    codes: Authenticator | None = None

    def __bool__(self) -> bool:
        """Recovery codes alone do not count: they replace another factor."""
        return bool(self.app or self.passkeys)

    @property
    def count(self) -> int:
        return len(self.passkeys) + (self.app is not None)

    @property
    def codes_left(self) -> int:
        """Raises SealBroken when no sealing key opens them."""
        return len(self.codes.wrap().get_unused_codes()) if self.codes else 0


def factors_of(member: User) -> Factors:
    """Read all factors with one query."""
    rows = list(Authenticator.objects.filter(user=member).order_by("pk"))
    return Factors(
        app=next((row for row in rows if row.type == Type.TOTP), None),
        passkeys=[row for row in rows if row.type == Type.WEBAUTHN],
        codes=next((row for row in rows if row.type == Type.RECOVERY_CODES), None),
    )


def must_have_factor(request: HttpRequest) -> bool:
    """Whether REQUIRE_MFA applies: only to members who signed in here, not by single sign-on."""
    return settings.REQUIRE_MFA and is_local_session(request)


def has_factor(request: HttpRequest) -> bool:
    """Whether the member has a second factor; a yes is remembered in the session."""
    if not request.session.get(HAS_FACTOR) and factors_of(request.user):  # type: ignore[arg-type]
        request.session[HAS_FACTOR] = True
    return bool(request.session.get(HAS_FACTOR))


@contextmanager
def locked_factors(member: User) -> Iterator[None]:
    """Let one request at a time use or change the factors of a member.

    `no_key`, because rows that refer to the member are written under other locks.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=member.pk)
        yield


def use_code(member: User, code: str) -> Authenticator | None:
    """Return the app or the recovery codes that accept this code; each code is accepted once.

    Raises SealBroken when no sealing key opens the secrets.
    """
    with locked_factors(member):
        factors = factors_of(member)
        if factors.app and _use_app_code(factors.app, code):
            return factors.app
        if factors.codes and factors.codes.wrap().validate_code(code):
            return factors.codes
    return None


def _use_app_code(app: Authenticator, code: str) -> bool:
    """Accept a code of a time step after the last one used, as RFC 6238 section 5.2 requires.

    The step is kept, not the code: it has one spelling, and no log or cache key can hold it.
    """
    secret = unseal_secret(app.data["secret"])
    for step in yield_hotp_counters_from_time():
        expected = format_hotp_value(hotp_value(secret, step))
        if step > app.data.get(LAST_STEP, -1) and compare_user_code(actual=code, expected=expected):
            app.data[LAST_STEP] = step
            app.save(update_fields=["data"])
            return True
    return False


def remove_all(member: User) -> int:
    """Remove all factors and the recovery codes; return how many rows there were."""
    return int(Authenticator.objects.filter(user=member).delete()[0])


def reseal_factors() -> tuple[int, int]:
    """Reseal the secrets of all factors with the newest key; return (moved, unreadable)."""
    moved = unreadable = 0
    for row in Authenticator.objects.exclude(type=Type.WEBAUTHN).iterator():
        old = {name: row.data[name] for name in SEALED_FIELDS if name in row.data}
        if all(is_newest(sealed) for sealed in old.values()):
            continue
        try:
            new = {name: seal_secret(unseal_secret(sealed)) for name, sealed in old.items()}
        except SealBroken:
            unreadable += 1
            continue
        # Compare and swap: the member may be using a recovery code right now.
        rows = Authenticator.objects.filter(pk=row.pk, data=row.data)
        moved += rows.update(data=row.data | new)
    return moved, unreadable
