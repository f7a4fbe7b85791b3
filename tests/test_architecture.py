"""Which package may import which: the rules of docs/architecture.md, read from the source."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "keys").rglob("*.py"), *(ROOT / "estuary_admin").rglob("*.py")])


def imports_of(path: Path) -> set[str]:
    """The full names that a module imports anywhere, with relative imports resolved."""
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


def forbidden_imports(folder: str, *allowed: str) -> list[tuple[str, str]]:
    """The imports of a folder's (or file's) modules that are not allowed."""
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


def test_upstream_imports_only_itself_and_its_libraries() -> None:
    standard = sys.stdlib_module_names

    assert (
        forbidden_imports(
            "keys/upstream/", "keys.upstream", "msgspec", "requests", "urllib3", *standard
        )
        == []
    )


def test_other_packages_do_not_speak_http() -> None:
    speakers = [*importers_of("requests"), *importers_of("urllib3"), *importers_of("http.client")]

    allowed = ("keys/upstream/", "estuary_admin/sso/")  # sign-in at a provider, and its keys
    others = {path for path in speakers if not path.startswith(allowed)}
    assert others == {"keys/notices/webhook.py"}  # it speaks to receivers, never to Estuary
    assert importers_of("urllib.request") == [
        "keys/demo/__main__.py"
    ]  # it waits for the console to start


def test_the_sandbox_imports_no_django() -> None:
    assert forbidden_imports("keys/sandbox/", "keys.sandbox", *sys.stdlib_module_names) == []
    assert (
        forbidden_imports("keys/sandbox/wire/", "keys.sandbox.wire", *sys.stdlib_module_names) == []
    )
    below = ("keys.sandbox.wire", "keys.sandbox.estuary")
    assert forbidden_imports("keys/sandbox/estuary/", *below, *sys.stdlib_module_names) == []


def test_forms_import_neither_network_nor_database() -> None:
    forms = [path for path in MODULES if path.name == "forms.py" and "keys" in path.parts]
    known = ("keys.upstream.", "keys.policy.", "keys.account.choices.", "keys.api_keys.pasted.")

    assert {
        (path.parent.name, name)
        for path in forms
        for name in imports_of(path)
        if name.startswith(("keys.", "django.db", "requests"))
        and (not name.startswith(known) or name == "keys.upstream.EstuaryClient")
    } == set()


#: Modules that build pages; all other modules of `keys` are services or used by them.
PAGES = {"views", "views.py", "urls.py", "http.py", "access.py", "context.py", "signals.py"}
PAGES |= {"feed_views.py", "prefill.py", "prepared_views.py", "file_views.py"}
PAGES |= {"comparison_views.py", "team_views.py"}
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
        "team",
    )
    return [
        path
        for path in MODULES
        if path.relative_to(ROOT).parts[:2] in {("keys", folder) for folder in folders}
        and not PAGES & set(path.parts)
        and path.name not in {"forms.py", "nonces.py", "query.py"}
    ]


def test_services_import_no_pages() -> None:
    above = ("keys.http", "keys.access", "django.http", "django.shortcuts")

    assert {
        (path.name, name)
        for path in services()
        for name in imports_of(path)
        if name.startswith(above) or re.match(r"keys\.\w+\.(views|forms)\b", name)
    } == set()


def test_services_take_no_request() -> None:
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


def test_estuary_admin_imports_only_redaction_from_keys() -> None:
    inner = {
        name
        for _, name in forbidden_imports("estuary_admin/", "django", *sys.stdlib_module_names)
        if name.startswith("keys")
    }

    assert {name for name in inner if not name.startswith("keys.upstream.redaction.")} == set()


def test_single_sign_on_imports_nothing_of_account_security() -> None:
    inner = {
        name
        for _, name in forbidden_imports("estuary_admin/sso/", "django", *sys.stdlib_module_names)
        if name.startswith("estuary_admin.security")
    }

    assert inner == set()


def test_a_stored_token_is_unsealed_in_one_place() -> None:
    users = [path.name for path in MODULES if re.search(r"\bunseal\(", path.read_text("utf-8"))]

    assert users == ["sealing.py", "stored_tokens.py"]


def test_other_secrets_are_unsealed_by_sign_in_security_exports_and_notices() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if re.search(r"\bunseal_for\(", path.read_text("utf-8"))
    ]

    assert [path for path in users if not path.startswith("estuary_admin/security/")] == [
        "estuary_admin/secrets/sealing.py",
        "keys/exports/sealed_files.py",
        "keys/notices/secrets.py",
    ]


def test_two_templates_show_tokens() -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    holders = [
        path.name
        for path in templates
        if re.search(r"{{[^}]*\.token\b(?!\.)", path.read_text(encoding="utf-8"))
    ]

    assert holders == ["_handover.html", "_key_created_many.html"]


def test_templates_have_no_inline_style_or_script() -> None:
    inline = re.compile(
        r"""\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|(src|href)="https?:"""
    )
    offenders = [
        path.name
        for path in (ROOT / "templates").rglob("*.html")
        if inline.search(path.read_text(encoding="utf-8"))
    ]

    assert offenders == []
