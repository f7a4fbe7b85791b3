"""What pages may load and send: nothing but our own."""

from __future__ import annotations

from csp.constants import NONE, SELF

DIRECTIVES = {
    "default-src": [NONE],
    "base-uri": [NONE],
    "connect-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "img-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF],
}
