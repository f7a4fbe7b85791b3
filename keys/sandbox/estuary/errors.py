"""The errors of the API and how each generation writes them."""

from __future__ import annotations

from http import HTTPStatus

from keys.sandbox.estuary.generations import Generation
from keys.sandbox.wire.golang import json_string

_LEAD_END = {2: 0xE0, 3: 0xF0, 4: 0xF8}  # one past the lead bytes of UTF-8, by length


class ApiError(Exception):
    """An error in the words of the nested format; older generations send a part of them.

    `reason` is a machine word (`ERR_...`) for errors that Estuary foresees, else the HTTP phrase.
    """

    def __init__(
        self, status: int, reason: str = "", details: str = "", *, allow: str = ""
    ) -> None:
        super().__init__(f"{status} {reason} {details}")
        self.status = status
        self.reason = reason or HTTPStatus(status).phrase
        self.details = details
        self.allow = allow


# Before 22 June 2022 the two numbers meant the reverse.
_VINTAGE_STATUS = {401: 403, 403: 401}


def status_for(error: ApiError, generation: Generation) -> int:
    """The HTTP status with which a generation answers this error."""
    if generation.nested_errors or not error.reason.startswith("ERR_"):
        return error.status
    return _VINTAGE_STATUS.get(error.status, error.status)


def body_for(error: ApiError, generation: Generation) -> bytes:
    """The JSON body with which a generation answers this error."""
    if generation.nested_errors:
        inner = (
            f'"code":{error.status},"reason":{json_string(error.reason)},'
            f'"details":{json_string(error.details)}'
        )
        return f'{{"error":{{{inner}}}}}\n'.encode()
    if not error.reason.startswith("ERR_"):
        return f'{{"error":{json_string(error.details)}}}\n'.encode()
    # Only an expired token had details then; a Go map prints its keys in order.
    details = f'"details":{json_string(error.details)},' if "EXPIRED" in error.reason else ""
    return f'{{{details}"error":{json_string(error.reason)}}}\n'.encode()


def not_found() -> ApiError:
    """404 as echo says it."""
    return ApiError(404, details="Not Found")


def unforeseen(text: str) -> ApiError:
    """500 with the bare Go or SQL text, which is also how Estuary answers bad input."""
    return ApiError(500, details=text)


def postgres_objection(value: bytes) -> str:
    """What PostgreSQL says to text it cannot store (NUL, or not UTF-8), or `""`."""
    try:
        value.decode()
        at = value.find(0)
    except UnicodeDecodeError as bad:
        at = value.find(0, 0, bad.start)
        at = bad.start if at < 0 else at
    if at < 0:
        return ""
    lead = value[at]
    width = next(
        (n for n, first in ((2, 0xC0), (3, 0xE0), (4, 0xF0)) if first <= lead < _LEAD_END[n]), 1
    )
    shown = " ".join(f"0x{byte:02x}" for byte in value[at : at + width])
    return f'ERROR: invalid byte sequence for encoding "UTF8": {shown} (SQLSTATE 22021)'
