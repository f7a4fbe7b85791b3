"""Who is acting, as the services and the audit need to know it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest

from estuary_admin.web.client_address import client_address


@dataclass(frozen=True, slots=True)
class Actor:
    """A member (None: nobody signed in), from where, in which request."""

    member: User | None
    address: str
    request_id: str

    @property
    def known_member(self) -> User:
        if self.member is None:
            raise RuntimeError("this needs a signed-in member")
        return self.member


def actor_of(request: HttpRequest, member: AbstractBaseUser | AnonymousUser | None = None) -> Actor:
    """The actor of a request: its signed-in member unless another one is named."""
    who = member or request.user
    return Actor(
        member=who if isinstance(who, User) else None,
        address=client_address(request),
        request_id=getattr(request, "request_id", ""),
    )
