"""The page of a new key: snippets, QR code, the entry for a calendar."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from django.test import Client

from keys.api_keys.handover import QrCode, qr_code_of
from keys.upstream import hash_of
from tests.backing import need
from tests.conftest import HTMX
from tests.keys.api_keys.test_key_create import URL, form_of, token_in
from tests.keys.evidence import words_of

TOKEN = "EST6f1c2a4e-1111-4a2b-9c3d-1234567890abARY"
SCALE = 4


def painted(code: QrCode, file: Path) -> None:
    """Paint the path as a grey picture (PGM)."""
    rows = [bytearray(b"\xff" * code.size * SCALE) for _ in range(code.size)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", code.path):
        start, end = int(x) * SCALE, (int(x) + int(width)) * SCALE
        rows[int(y)][start:end] = bytes(end - start)
    body = b"".join(bytes(row) * SCALE for row in rows)
    side = code.size * SCALE
    file.write_bytes(f"P5 {side} {side} 255\n".encode() + body)


def test_a_phone_reads_the_token_from_the_qr_code(tmp_path: Path) -> None:
    need("zbar-tools")
    painted(qr_code_of(TOKEN), tmp_path / "code.pgm")

    read = subprocess.run(
        [str(shutil.which("zbarimg")), "-q", "--raw", str(tmp_path / "code.pgm")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert read.stdout.strip() == TOKEN


def test_the_qr_code_of_a_new_token_is_in_the_answer_alone(browser: Client) -> None:
    response = browser.post(URL, form_of(browser))
    page, token = response.content.decode(), token_in(response)

    assert qr_code_of(token).path in page
    assert token not in repr(qr_code_of(token))
    assert "<details" in page.split("Show as QR code", maxsplit=1)[0].rpartition("</div>")[2]
    for path in ("/keys/", f"/keys/{hash_of(token)}/", URL):
        assert qr_code_of(token).path not in browser.get(path).content.decode()


def test_the_token_is_in_the_page_once(browser: Client) -> None:
    response = browser.post(URL, form_of(browser), headers=HTMX)

    assert response.content.decode().count(token_in(response)) == 1
    for name in (".env", "Try it", "Upload", "GitHub", "Kubernetes", "1Password", "Docker"):
        assert name in words_of(response)


def test_the_end_of_a_new_key_goes_to_a_calendar(browser: Client) -> None:
    response = browser.post(URL, form_of(browser, label="backup"))
    token = token_in(response)
    [there] = re.findall(r'href="(/keys/[^"]+/ends\.ics)"', response.content.decode())

    entry = browser.get(there).content.decode()

    assert there == f"/keys/{hash_of(token)}/ends.ics"
    assert "backup" in entry
    assert token not in entry


def test_a_key_without_an_end_has_no_calendar_entry(browser: Client) -> None:
    response = browser.post(URL, form_of(browser, lifetime="never"))

    assert "ends.ics" not in response.content.decode()
