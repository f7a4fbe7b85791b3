"""The member or job that acts, as services and the audit need to know it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest

from estuary_admin.web.client_address import client_address


@dataclass(frozen=True, slots=True)
class Actor:
    """A member with address and request, or a job of the worker.

    `member` is None when nobody is signed in. For a job it is the member that the job serves.
    """

    member: User | None
    address: str
    request_id: str
    job: str = ""  # the job's name; "" when a person acts
    served: User | None = None  # the member that an admin acts for
    given_reason: str = ""  # why the admin does

    @classmethod
    def for_job(cls, name: str, member: User | None = None) -> Self:
        """A job of the worker, which serves one member or (None) nobody in particular."""
        return cls(member, "", "", name)

    def for_member(self, member: User, reason: str) -> Self:
        """The same actor, who acts for another member: audited for both, with the reason."""
        return replace(self, served=member, given_reason=reason)

    @property
    def known_member(self) -> User:
        """The member; raises RuntimeError when there is none."""
        if self.member is None:
            raise RuntimeError("this needs a signed-in member")
        return self.member


def actor_of(request: HttpRequest, member: AbstractBaseUser | AnonymousUser | None = None) -> Actor:
    """The actor of a request: its signed-in member unless another one is named."""
    acting = member or request.user
    return Actor(
        member=acting if isinstance(acting, User) else None,
        address=client_address(request),
        request_id=getattr(request, "request_id", ""),
    )
