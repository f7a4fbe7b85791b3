"""What our script hands to the browser's passkey functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_json(options: Mapping[str, Any]) -> str:
    """For an attribute of the form; fido2's mappings are no dicts."""
    return json.dumps(dict(options), default=dict)
