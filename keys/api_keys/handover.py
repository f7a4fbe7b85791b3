"""The page of a new key, without its token: facts, snippets, QR code, links."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

from keys.api_keys.rows import permission_text
from keys.api_keys.snippets import snippets_of
from keys.fetched import ahead_of, clock_shift
from keys.models import KeyCreation
from keys.upstream import CreatedKey, describe

QUIET_ZONE = 4  # modules of white around the code, as the standard asks


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code as the path of an SVG, one unit for each module."""

    size: int
    path: str = field(repr=False)


@sensitive_variables()
def handover_context(created: CreatedKey, record: KeyCreation, doubt: str = "") -> dict[str, Any]:
    """The context of `keys/_handover.html`; only for the answer to the POST that made the key."""
    return {
        "created": created,
        "is_listed": record.outcome != KeyCreation.Outcome.UNLISTED,
        "doubt": doubt,
        "label": record.label,
        "is_permanent": record.lifetime is None,
        "lifetime_text": lifetime_text(record.lifetime),
        "permission_text": permission_text(record.permission),
        "snippets": snippets_of(settings.ESTUARY_API_URL, record.label),
        "qr": qr_code_of(created.token),
        "clock_ahead": clock_shift(ahead_of(created.clock)),
        "list_url": f"{reverse('keys:key_list')}?new={record.token_hash}",
        "revoke_url": reverse("keys:key_revoke", args=[record.token_hash]),
        "ends_url": reverse("keys:key_ends", args=[record.token_hash]),
    }


def lifetime_text(lifetime: timedelta | None) -> str:
    """The lifetime in words; that of a key with a last day without the odd minutes."""
    if lifetime is None or lifetime < timedelta(days=1) or not lifetime % timedelta(minutes=1):
        return describe(lifetime)
    return describe(lifetime - lifetime % timedelta(hours=1))


@sensitive_variables()
def qr_code_of(text: str) -> QrCode:
    """Encode a text as a QR code with medium error correction."""
    # A fixed mask: trying all eight for the best one takes six times as long.
    code = QRCode(border=QUIET_ZONE, error_correction=ERROR_CORRECT_M, mask_pattern=0)
    code.add_data(text, optimize=0)
    code.make()
    rows = code.get_matrix()
    return QrCode(len(rows), "".join(_runs(row, y) for y, row in enumerate(rows)))


def _runs(row: list[bool], y: int) -> str:
    """The dark runs of one row, as parts of an SVG path."""
    runs, start = [], None
    for x, is_dark in enumerate([*row, False]):
        if is_dark and start is None:
            start = x
        elif start is not None and not is_dark:
            runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            start = None
    return "".join(runs)
