"""Collected scripts and style sheets are minified; their sources are not changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage as configured
from django.core.files.base import ContentFile
from django.core.management import call_command

staticfiles_storage: Any = configured
SCRIPT = '// Why.\nconst words = `a  ${"b"} // c`;\nconst slash = /\\/\\/ [/]+/u;\n'


@pytest.fixture
def collected(settings: Any, tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "js").mkdir(parents=True)
    (source / "js/mark.svg").write_text("<svg/>\n")
    (source / "js/one.js").write_text(SCRIPT)
    (source / "js/other.min.js").write_text("// A licence.\nlet a;\n")
    (source / "look.css").write_text("/* Why. */\nb {\n  background: url('js/mark.svg');\n}\n")
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "estuary_admin.storage.static_files.MinifiedStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    return Path(settings.STATIC_ROOT)


def served(folder: Path, name: str) -> str:
    return (folder / str(staticfiles_storage.stored_name(name))).read_text("utf-8")


def test_a_script_is_served_without_comments_and_means_the_same(collected: Path) -> None:
    text = served(collected, "js/one.js")

    assert "Why" not in text
    assert '`a  ${"b"} // c`' in text
    assert "/\\/\\/ [/]+/u" in text


def test_a_style_sheet_is_served_minified_with_hashed_addresses(collected: Path) -> None:
    text = served(collected, "look.css")

    assert text.startswith("b{background:url(")
    assert staticfiles_storage.stored_name("js/mark.svg").removeprefix("js/") in text


def test_sources_and_minified_files_of_others_are_not_changed(collected: Path) -> None:
    assert (collected / "js/one.js").read_text("utf-8") == SCRIPT
    assert served(collected, "js/other.min.js") == "// A licence.\nlet a;\n"
    assert served(collected, "js/mark.svg") == "<svg/>\n"


def test_a_source_leads_to_its_minified_file(collected: Path) -> None:
    source = ContentFile(SCRIPT.encode())

    assert staticfiles_storage.hashed_name("js/one.js", source) == staticfiles_storage.stored_name(
        "js/one.js"
    )


def test_collecting_twice_changes_nothing(collected: Path) -> None:
    before = {path: path.read_bytes() for path in collected.rglob("*") if path.is_file()}

    call_command("collectstatic", interactive=False, verbosity=0)

    assert {path: path.read_bytes() for path in collected.rglob("*") if path.is_file()} == before
