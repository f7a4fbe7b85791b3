"""Commands to paste into a shell, with a placeholder that the page replaces by the token."""

from __future__ import annotations

import shlex
from urllib.parse import SplitResult, quote

PLACEHOLDER = "EST…ARY"  # keys.js looks for it
#: What may stay as it is in a path: RFC 3986, and percent signs of what is encoded already.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"


def viewer_command(api_url: SplitResult) -> str:
    """A request that every key may make; the address is quoted for sh, bash, zsh and fish."""
    path = quote(api_url.path.rstrip("/"), safe=_PATH_CHARACTERS)
    address = api_url._replace(path=f"{path}/viewer").geturl()
    return f'curl -H "Authorization: Bearer {PLACEHOLDER}" {shlex.quote(address)}'


def environment_line() -> str:
    return f"ESTUARY_TOKEN={PLACEHOLDER}"
