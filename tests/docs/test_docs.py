"""The documentation names only files, links and versions that exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from estuary_admin import VERSION

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
#: `make screenshots` writes these pictures; they may be missing.
DRAWN = ROOT / "docs/images"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|html|js|css|json|txt|toml))`|`((?:[\w.-]+/)+)`"
)
#: Folders that a bare file name may be relative to.
FOLDERS = ["", "docs", "templates", "estuary_admin", "keys/upstream", "keys/sandbox"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(prose(page))]
    local = [page.parent / target for target in targets if target and "://" not in target]

    assert [str(path) for path in local if path.parent != DRAWN and not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_section_leads_to_its_heading(page: Path) -> None:
    links = [target.partition("#") for target in LINK.findall(prose(page))]
    wanted = {(page.parent / name if name else page, anchor) for name, _, anchor in links if anchor}
    local = [(path, anchor) for path, anchor in wanted if path.suffix == ".md" and path.exists()]

    assert [(path.name, anchor) for path, anchor in local if anchor not in anchors(path)] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_is_there(page: Path) -> None:
    named = {file or folder for file, folder in FILE.findall(prose(page))}

    assert {name for name in named if not is_somewhere(name)} == set()


def is_somewhere(name: str) -> bool:
    made_up = {"_part.html", "__Host-"}
    return (
        name in made_up
        or name.startswith("var/")
        or any((ROOT / folder / name).exists() for folder in FOLDERS)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_outside_of_tables_fit_a_screen(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def prose(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "file"),
    [("At run time", "requirements.txt"), ("For tests and linters", "requirements-dev.txt")],
)
def test_every_direct_dependency_has_a_row(heading: str, file: str) -> None:
    section = (ROOT / "docs/dependencies.md").read_text().partition(f"## {heading}")[2]
    table = section.partition("\n## ")[0]
    rows = re.findall(r"^\| ([\w.-]+) \|", table, re.MULTILINE)

    assert rows[0] == "Package"
    assert rows[1:] == list(direct(file))


def direct(file: str) -> Iterator[str]:
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("# What they bring along"):
            return
        if "==" in line:
            yield line.partition("==")[0].partition("[")[0]  # without extras


def test_every_package_is_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `((?:estuary_admin|keys)/\w+)/` \|", page, re.MULTILINE)
    packages = [
        path.parent.relative_to(ROOT).as_posix()
        for top in ("estuary_admin", "keys")
        for path in sorted((ROOT / top).glob("*/__init__.py"))
        if path.parent.name != "migrations"
    ]

    assert listed == packages


def test_every_step_of_the_first_change_is_in_its_file() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\| \d+\. .*\| `([^`]+)` \| `([^`]+)` \|$", page, re.MULTILINE)

    assert len(steps) == 13
    assert [(file, name) for file, name in steps if name not in (ROOT / file).read_text()] == []


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    images = [
        re.findall(r"estuary-admin:([\d.]+)", (ROOT / "deploy" / name).read_text(encoding="utf-8"))
        for name in ("Dockerfile", "compose.yaml")
    ]

    assert project["version"] == VERSION
    assert {version for found in images for version in found} == {VERSION}
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
