"""Who may import whom: the walls between the rooms, seen in the source."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "keys").rglob("*.py"), *(ROOT / "estuary_admin").rglob("*.py")])


def imports_of(path: Path) -> set[str]:
    """The full names a module imports, relative ones resolved, wherever they stand in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def breaches(folder: str, *allowed: str) -> list[tuple[str, str]]:
    """Imports of a folder's (or file's) modules that are neither allowed nor `__future__`."""
    return [
        (path.relative_to(ROOT).as_posix(), name)
        for path in MODULES
        if path.relative_to(ROOT).as_posix().startswith(folder)
        for name in imports_of(path)
        if not any(name == one or name.startswith(f"{one}.") for one in (*allowed, "__future__"))
    ]


def importers_of(name: str) -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if any(found == name or found.startswith(f"{name}.") for found in imports_of(path))
    ]


def test_the_client_of_estuary_stands_alone() -> None:
    standard = sys.stdlib_module_names

    assert (
        breaches("keys/upstream/", "keys.upstream", "msgspec", "requests", "urllib3", *standard)
        == []
    )


def test_nobody_else_speaks_http() -> None:
    speakers = [*importers_of("requests"), *importers_of("urllib3"), *importers_of("http.client")]

    allowed = ("keys/upstream/", "estuary_admin/sso/")  # sign-in at a provider, and its keys
    others = {path for path in speakers if not path.startswith(allowed)}
    assert others == {"keys/notices/webhook.py"}  # it speaks to receivers, never to Estuary
    assert importers_of("urllib.request") == [
        "keys/demo/__main__.py"
    ]  # which waits for the app itself


def test_the_sandbox_knows_no_django() -> None:
    assert breaches("keys/sandbox/", "keys.sandbox", *sys.stdlib_module_names) == []
    assert breaches("keys/sandbox/wire/", "keys.sandbox.wire", *sys.stdlib_module_names) == []
    below = ("keys.sandbox.wire", "keys.sandbox.estuary")
    assert breaches("keys/sandbox/estuary/", *below, *sys.stdlib_module_names) == []


def test_forms_know_neither_the_network_nor_the_database() -> None:
    forms = [path for path in MODULES if path.name == "forms.py" and "keys" in path.parts]
    known = ("keys.upstream.", "keys.policy.", "keys.account.choices.")

    assert {
        (path.parent.name, name)
        for path in forms
        for name in imports_of(path)
        if name.startswith(("keys.", "django.db", "requests"))
        and (not name.startswith(known) or name == "keys.upstream.EstuaryClient")
    } == set()


#: Modules of a feature that build pages; all others of `keys` are services, or what they use.
PAGES = {"views", "views.py", "urls.py", "http.py", "access.py", "context.py", "signals.py"}
PAGES |= {"feed_views.py"}
PAGES |= {"templatetags", "preferences.py", "actors.py"}


def services() -> list[Path]:
    folders = (
        "api_keys",
        "token",
        "exports",
        "stats",
        "audit",
        "account",
        "jobs",
        "policy",
        "notes",
        "notices",
    )
    return [
        path
        for path in MODULES
        if path.relative_to(ROOT).parts[:2] in {("keys", folder) for folder in folders}
        and not PAGES & set(path.parts)
        and path.name not in {"forms.py", "nonces.py", "query.py"}
    ]


def test_services_know_no_pages() -> None:
    above = ("keys.http", "keys.access", "django.http", "django.shortcuts")

    assert {
        (path.name, name)
        for path in services()
        for name in imports_of(path)
        if name.startswith(above) or re.match(r"keys\.\w+\.(views|forms)\b", name)
    } == set()


def test_services_never_see_a_request() -> None:
    seen = [
        path.name
        for path in services()
        if any(
            isinstance(node, ast.Name | ast.arg)
            and "request" in (node.id if isinstance(node, ast.Name) else node.arg).split("_")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]

    assert seen == []


def test_the_frame_imports_nothing_of_keys_but_the_redaction_of_tokens() -> None:
    inner = {
        name
        for _, name in breaches("estuary_admin/", "django", *sys.stdlib_module_names)
        if name.startswith("keys")
    }

    assert {name for name in inner if not name.startswith("keys.upstream.redaction.")} == set()


def test_single_sign_on_imports_nothing_of_account_security() -> None:
    inner = {
        name
        for _, name in breaches("estuary_admin/sso/", "django", *sys.stdlib_module_names)
        if name.startswith("estuary_admin.security")
    }

    assert inner == set()


def test_a_stored_token_is_unsealed_in_one_place() -> None:
    users = [path.name for path in MODULES if re.search(r"\bunseal\(", path.read_text("utf-8"))]

    assert users == ["sealing.py", "stored_tokens.py"]


def test_other_secrets_are_unsealed_by_sign_in_security_and_notices() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if re.search(r"\bunseal_for\(", path.read_text("utf-8"))
    ]

    assert [path for path in users if not path.startswith("estuary_admin/security/")] == [
        "estuary_admin/secrets/sealing.py",
        "keys/notices/secrets.py",
    ]


def test_a_token_stands_in_one_template() -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    holders = [
        path.name
        for path in templates
        if re.search(r"{{[^}]*\.token\b(?!\.)", path.read_text(encoding="utf-8"))
    ]

    assert holders == ["_key_created.html"]


def test_templates_hold_nothing_inline() -> None:
    inline = re.compile(
        r"""\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|(src|href)="https?:"""
    )
    offenders = [
        path.name
        for path in (ROOT / "templates").rglob("*.html")
        if inline.search(path.read_text(encoding="utf-8"))
    ]

    assert offenders == []
