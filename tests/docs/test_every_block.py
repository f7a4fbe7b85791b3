"""Every command and configuration in README and docs is run by a test, from the page's own text."""

from __future__ import annotations

import ast
import base64
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from tests.docs.pages import ROOT, Block, blocks, pages

HERE = Path(__file__).parent
#: Blocks that nothing here can run: page, a text in the block, the reason.
NOT_RUN: dict[tuple[str, str], str] = {}
LANGUAGES = {"apache", "caddyfile", "env", "ini", "json", "nginx", "python", "sh", "text", "yaml"}
INLINE = re.compile(r"`([^`\n]+)`")


def claims() -> list[tuple[str, str]]:
    """The (page, text) of each `block("page.md", "text")` in the tests of this package."""
    calls = [
        call
        for file in sorted(HERE.glob("test_*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "block"
    ]
    found = [[a.value for a in call.args if isinstance(a, ast.Constant)] for call in calls]
    return [(str(values[0]), str(values[1])) for values in found if len(values) == 2]


def test_every_block_names_its_language() -> None:
    assert [str(one) for one in blocks() if one.language not in LANGUAGES] == []


def test_a_test_runs_every_block() -> None:
    known = [*claims(), *NOT_RUN]
    left = [
        str(one)
        for one in blocks()
        if one.language != "text"
        and not one.is_environment  # test_the_console_starts_with_each_environment
        and not any(page == one.page and text in one.text for page, text in known)
    ]

    assert left == [], "write a test in tests/docs that runs these blocks"


def test_every_claim_and_every_exception_names_one_block() -> None:
    known = {*claims(), *NOT_RUN}
    wrong = [
        (page, text)
        for page, text in known
        if len([one for one in blocks(page) if text in one.text]) != 1
    ]

    assert wrong == []


@pytest.mark.parametrize("one", [one for one in blocks() if one.is_environment], ids=str)
def test_the_console_starts_with_each_environment(one: Block, tmp_path: Path) -> None:
    """As a shell reads it: `set -a; . FILE`."""
    secret = tmp_path / "secret"
    secret.write_text("a-secret-from-a-file-of-32-characters")
    text = re.sub(r"(_FILE=)/\S+", rf"\1{secret}", one.text)
    text = re.sub(r"^(SECRET_KEY|TOKEN_SEALING_KEYS)=\s+#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^DATA_DIR=.*$", "", text, flags=re.MULTILINE)
    text = text.replace("…", "a-long-enough-secret-of-32-characters")
    (tmp_path / "block.env").write_text(text)
    given = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "TOKEN_SEALING_KEYS": base64.b64encode(b"x" * 32).decode(),
        "PUBLIC_URL": "https://keys.example.com",
        "DATA_DIR": str(tmp_path),
        "BIND": "127.0.0.1:8000",
    }
    oidc = {
        "SSO_MODE": "oidc",
        "SSO_OIDC_ISSUER": "https://id.example.com",
        "SSO_OIDC_CLIENT_ID": "keys",
        "SSO_OIDC_CLIENT_SECRET": "a-long-enough-secret-of-32-characters",
    }
    if "SSO_OIDC" in text and "SSO_MODE" not in text:  # a fragment for that mode
        given |= oidc if "SSO_OIDC_PROVIDERS" not in text else {"SSO_MODE": "oidc"}

    started = subprocess.run(
        ["bash", "-c", 'set -a; . "$0"; set +a; exec "$1" -c "import estuary_admin.wsgi"',
         str(tmp_path / "block.env"), sys.executable],
        cwd=ROOT, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert started.returncode == 0, started.stderr[-500:]


@pytest.mark.parametrize("one", [b for b in blocks() if b.language == "sh"], ids=str)
def test_a_shell_can_read_each_block(one: Block) -> None:
    checked = subprocess.run(
        ["bash", "-n"], input=one.text, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def inline_commands(*starts: str) -> list[tuple[str, str]]:
    """Commands inside sentences and tables, with their page."""
    return sorted(
        {
            (path.name, code)
            for path in pages()
            for code in INLINE.findall(path.read_text(encoding="utf-8"))
            if code.startswith(starts)
        }
    )


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    everywhere = [
        *inline_commands("make "),
        *((one.page, line) for one in blocks() for line in one.text.splitlines()),
    ]
    named = {
        (page, word)
        for page, code in everywhere
        if code.startswith("make ")
        for word in re.split(r"[#&]", code)[0].split()[1:]
        if re.fullmatch(r"[a-z][\w-]*", word) and "=" not in word
    }

    assert named
    assert {(page, word) for page, word in named if word not in targets} == set()


MANAGE = re.compile(r"(?:manage\.py|(?:sudo |^)estuary-admin) ([a-z_]\w*)([^|;&#\n]*)")


def management_commands() -> list[tuple[str, str, str]]:
    """Page, command and arguments of every management command in a block or a sentence."""
    texts = [(one.page, one.text) for one in blocks()]
    texts += inline_commands("manage.py", "python manage.py", "estuary-admin ", "sudo estuary")
    found = [
        (page, name, arguments.strip())
        for page, text in texts
        for name, arguments in MANAGE.findall(re.sub(r"\\\n\s*", " ", text))
    ]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "name", "arguments"), management_commands())
def test_every_management_command_takes_its_arguments(page: str, name: str, arguments: str) -> None:
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    words = shlex.split(arguments)

    parser = command.create_parser("manage.py", name)
    if not words:  # the name of a command
        return
    if any(arguments in one.text for one in blocks(page)):
        parser.parse_args(words)
        return
    try:
        parser.parse_args(words)
    except CommandError as error:
        # A sentence may name a command without its arguments; a block may not.
        if "are required" not in str(error):
            raise
