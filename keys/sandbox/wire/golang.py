"""How Go writes JSON, times and quoted text, and reads queries and paths."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

SECOND = 1_000_000_000  # nanoseconds, the unit of every moment in the sandbox
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# encoding/json escapes HTML and the JavaScript line ends, and (before Go 1.22) has no \b and \f.
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(32), *b"<>&", 0x2028, 0x2029)}
_ESCAPES |= {ord('"'): '\\"', ord("\\"): "\\\\", 10: "\\n", 13: "\\r", 9: "\\t"}
_HTML = {code: _ESCAPES[code] for code in (*b"<>&", 0x2028, 0x2029)}
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNESCAPED_IN_PATHS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~$&+,/:;=@"


def json_string(text: str) -> str:
    """Write a text as a JSON string, as `encoding/json` does."""
    return f'"{text.translate(_ESCAPES)}"'


def json_indented(body: bytes) -> bytes:
    """Indent a JSON body as echo does for `?pretty`."""
    text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return text.translate(_HTML).encode() + b"\n"


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _clock_text(ns: int, separator: str) -> str:
    seconds, fraction = divmod(ns, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    text = f"{moment.year:04d}-{moment:%m-%d}{separator}{moment:%H:%M:%S}"
    return f"{text}.{fraction:09d}".rstrip("0") if fraction else text


def rfc3339(ns: int) -> str:
    """A moment as in JSON: as many fraction digits as needed, in UTC."""
    return f"{_clock_text(ns, 'T')}Z"


def time_string(ns: int) -> str:
    """A moment as `time.Time.String()` writes it, which Estuary puts into the expiry error."""
    return f"{_clock_text(ns, ' ')} +0000 UTC"


def query_values(query: str) -> dict[str, bytes]:
    """Read a raw query as `url.ParseQuery` does, keeping the first value of each name.

    A part with a raw `;` or a stray `%` is dropped silently. Values are bytes, because
    percent-escapes need not be UTF-8.
    """
    values: dict[str, bytes] = {}
    for part in query.encode("latin-1").split(b"&"):
        if not part or b";" in part or _BAD_ESCAPE.search(part):
            continue
        name, _, value = part.partition(b"=")
        key = unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace")
        values.setdefault(key, unquote_to_bytes(value.replace(b"+", b" ")))
    return values


def has_bad_escape(text: str) -> bool:
    """Whether there is a percent sign without two hexadecimal digits after it."""
    return "%" in text and _BAD_ESCAPE.search(text.encode("latin-1")) is not None


def routed_path(raw: str) -> bytes:
    """The path echo routes by: decoded only when Go would encode it back to the same text.

    `%20` is therefore decoded and `%2D` is not (`net/url`, `setPath`).
    """
    encoded = raw.encode("latin-1")
    if "%" not in raw:
        return encoded
    decoded = unquote_to_bytes(encoded)
    again = b"".join(
        bytes((byte,)) if byte in _UNESCAPED_IN_PATHS else b"%%%02X" % byte for byte in decoded
    )
    return decoded if again == encoded else encoded
