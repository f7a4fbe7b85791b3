"""The errors of calls to Estuary, each with a sentence for people.

They never hold what Estuary wrote: its `details` leak SQL (seen on all nodes up to 2023-05).
"""

from __future__ import annotations

from typing import ClassVar, Literal

Kind = Literal["refused", "reset", "dns", "tls", "proxy", "timeout"]
Problem = Literal["shape", "json", "content-type", "too-large", "redirect", "status", "cut"]

STILL = "Try again. If it still fails, "
CHECK_ADDRESS = f"{STILL}ask the operator of this console to check Estuary's address."
UNCERTAIN = "Estuary may have carried it out all the same: look at your keys before you try again."


class UpstreamError(Exception):
    """Estuary could not be asked, refused, or answered with something we cannot use.

    `maybe_carried_out`: True for a change that Estuary may have made although no good answer
    came, False for one that it surely did not make, None (as an attribute False) for a read.
    """

    code: ClassVar[str] = "upstream"
    is_about_token: ClassVar[bool] = False  # another token would help; trying again would not
    what: str = "Estuary could not do this."
    then: str = "Try again in a minute."

    def __init__(self, *, maybe_carried_out: bool | None = None) -> None:
        self.maybe_carried_out = bool(maybe_carried_out)
        ends = {True: [UNCERTAIN], False: ["Nothing was changed.", self.then], None: [self.then]}
        self.sentence = " ".join([self.what, *ends[maybe_carried_out]])
        super().__init__(self.sentence)


class TokenRejected(UpstreamError):
    """Estuary does not know the token: revoked, mistyped, or from another node."""

    code = "token-rejected"
    is_about_token = True
    what = "Estuary does not know this key: it was revoked, or its token is not complete."
    then = "Connect a key that is valid."


class TokenExpired(UpstreamError):
    """The token has expired."""

    code = "token-expired"
    is_about_token = True
    what = "This key has expired, so Estuary refuses it."
    then = "Connect another key."


class NotPermitted(UpstreamError):
    """The token is good, but may not do this; old nodes do not say why."""

    code = "not-permitted"
    is_about_token = True
    what = "Estuary does not allow this: the key is upload only, or its account may not do it."
    then = "Connect a key with full access, or ask the operator of the Estuary node."


class UploadOnlyToken(NotPermitted):
    """The token may upload and nothing else."""

    code = "upload-only"
    what = "This key is upload only: it cannot manage keys, show stats or export."
    then = "Connect a key with full access."


class RateLimited(UpstreamError):
    """Too many requests from our address; `retry_after` in seconds, None when not told."""

    code = "rate-limited"
    what = "Estuary is busy: it receives too many requests from here."

    def __init__(
        self, retry_after: int | None = None, *, maybe_carried_out: bool | None = None
    ) -> None:
        self.retry_after = retry_after
        unit = "second" if retry_after == 1 else "seconds"
        self.then = f"Try again in {retry_after or 'a few'} {unit}."
        super().__init__(maybe_carried_out=maybe_carried_out)


class UpstreamUnavailable(UpstreamError):
    """No complete answer came; `kind` says at which step it failed."""

    code = "unavailable"
    whats: ClassVar[dict[Kind, str]] = {
        "refused": "Estuary could not be reached: it refused the connection.",
        "reset": "The connection to Estuary broke off before its answer was complete.",
        "dns": "Estuary could not be found: its host name could not be looked up.",
        "tls": "No secure connection to Estuary could be made, so nothing was sent to it.",
        "proxy": "Estuary could not be reached: the proxy on the way there refused the connection.",
        "timeout": "Estuary did not answer in time.",
    }
    thens: ClassVar[dict[Kind, str]] = {
        "dns": CHECK_ADDRESS,
        "tls": "Ask the operator of this console to check Estuary's address and certificate.",
        "proxy": f"{STILL}ask the operator of this console to check the HTTP proxy.",
    }

    def __init__(self, kind: Kind = "refused", *, maybe_carried_out: bool | None = None) -> None:
        self.kind: Kind = kind
        self.what = self.whats[kind]
        self.then = self.thens.get(kind, UpstreamError.then)
        super().__init__(maybe_carried_out=maybe_carried_out)


class UpstreamFailed(UpstreamError):
    """Estuary, or a proxy in front of it, answered with `status` 5xx."""

    code = "failed"
    what = "Estuary failed while working on this (status {status})."
    then = "Try again later. If it still fails, tell the operator of the Estuary node."

    def __init__(self, status: int = 500, *, maybe_carried_out: bool | None = None) -> None:
        self.status = status
        self.what = self.what.format(status=status)
        super().__init__(maybe_carried_out=maybe_carried_out)


class TooManyContents(UpstreamFailed):
    """The account is too large for Estuary's export (more than 65,535 contents)."""

    code = "too-many-contents"
    what = "This account has more than 65,535 contents, which Estuary cannot export."
    then = "Trying again does not help: ask the operator of the Estuary node for your data."


class UnexpectedReply(UpstreamError):
    """An answer came that cannot be trusted; `problem` says why."""

    code = "unexpected-reply"
    then = CHECK_ADDRESS
    whats: ClassVar[dict[Problem, str]] = {
        "shape": "Estuary's answer does not hold what it should, so it is not shown.",
        "json": "Estuary's answer could not be read, so it is not shown.",
        "content-type": "Something answered at Estuary's address, but not as Estuary does.",
        "too-large": "Estuary's answer is larger than this console accepts.",
        "redirect": "Estuary's address points elsewhere, and tokens are not sent elsewhere.",
        "status": "Estuary's address answered, but does not know this request.",
        "cut": "Estuary's answer ended before it was complete.",
    }

    def __init__(
        self, problem: Problem = "shape", *, maybe_carried_out: bool | None = None
    ) -> None:
        self.problem: Problem = problem
        self.what = self.whats[problem]
        super().__init__(maybe_carried_out=maybe_carried_out)
