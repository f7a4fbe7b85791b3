"""Every script tag has the hash of the file that is served."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import Client

from estuary_admin.rendering.fragments import script, tag_with_hash

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    tag_with_hash.cache_clear()
    yield
    tag_with_hash.cache_clear()


def scripts_in(page: str) -> list[tuple[str, str]]:
    """Their addresses and hashes."""
    found = re.findall(r"<script([^>]*)></script>", page)
    return [
        (re.findall(r'src="([^"]+)"', one)[0], re.findall(r'integrity="sha384-([^"]+)"', one)[0])
        for one in found
    ]


def is_hash_of(text: str, content: bytes) -> bool:
    return text == base64.b64encode(hashlib.sha384(content).digest()).decode()


def test_every_script_tag_has_the_hash_of_the_served_file(browser: Client) -> None:
    page = browser.get("/stats/").content.decode()
    found = scripts_in(page)

    assert page.count("<script") == len(found) > 0
    for address, digest in found:
        response: Any = browser.get(address)
        assert is_hash_of(digest, b"".join(response.streaming_content))


def test_the_hash_is_that_of_the_collected_file(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "estuary_admin.storage.static_files.MinifiedStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    name = staticfiles_storage.url("js/console.js").removeprefix("/static/")
    (tmp_path / name).write_bytes(b"as collectstatic wrote it")

    [(address, digest)] = scripts_in(script("js/console.js"))

    assert address == f"/static/{name}"
    assert re.fullmatch(r"js/console\.[0-9a-f]{12}\.js", name)
    assert is_hash_of(digest, b"as collectstatic wrote it")


def test_debug_mode_uses_no_hash(settings: Any) -> None:
    settings.DEBUG = True

    assert script("js/console.js") == '<script src="/static/js/console.js" type="module"></script>'
    assert " defer" in script("django_htmx/htmx-2.min.js", "defer")


def test_no_template_writes_a_script_by_hand() -> None:
    templates = (ROOT / "templates").rglob("*.html")

    assert [path.name for path in templates if "<script" in path.read_text("utf-8")] == []
