"""Snippets to paste: real shells run them, with a token filled in as the page does it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest

from keys.api_keys.snippets import PLACEHOLDER, Snippet, shell_quoted, snippets_of
from keys.sandbox import Sandbox
from tests.backing import need

TOKEN = "EST6f1c2a4e-1111-4a2b-9c3d-1234567890abARY"
NODE = urlsplit("https://api.estuary.tech")
SHELLS = ["dash", "bash", "zsh", "fish"]
ODD_LABELS = [
    "backup",
    'it\'s "$HOME" `id` $(id) !! \\',
    "\\'\\\\''",
    f"{PLACEHOLDER} ü🔑",
    "-n %s %d\\n",
]

#: Writes its name, arguments, input and variable, as one JSON line.
RECORDER = """#!/usr/bin/env python3
import json, os, sys
piped = "" if sys.argv[0].endswith("docker") else sys.stdin.read()
told = [sys.argv[0].rpartition("/")[2], sys.argv[1:], piped, os.environ.get("ESTUARY_TOKEN", "")]
print(json.dumps(told))
"""


def snippet(code: str, label: str = "backup", url: SplitResult = NODE) -> Snippet:
    [found] = [one for one in snippets_of(url, label) if one.code == code]
    return found


def filled(one: Snippet) -> str:
    return f"{one.before}{TOKEN}{one.after}"


def run(shell: str, script: str, tools: Path) -> str:
    program = shutil.which(shell)
    if program is None:
        need(shell)
    path = f"{tools}:{os.environ['PATH']}"
    home = {"HOME": str(tools), "PATH": path, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(program), "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=home,
    )
    return done.stdout


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with programs that tell how they were called."""
    for name in ("gh", "kubectl", "op", "docker"):
        (tmp_path / name).write_text(RECORDER)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_get_the_token_but_never_as_an_argument(shell: str, tools: Path) -> None:
    told = {
        code: json.loads(run(shell, filled(snippet(code)), tools))
        for code in ("github", "kubernetes", "1password", "docker")
    }

    assert TOKEN not in str([arguments for _, arguments, _, _ in told.values()])
    assert told["github"] == ["gh", ["secret", "set", "ESTUARY_TOKEN"], TOKEN, ""]
    assert told["kubernetes"][1][-1] == "--from-file=ESTUARY_TOKEN=/dev/stdin"
    assert told["kubernetes"][2] == TOKEN
    assert told["docker"][1] == ["run", "--rm", "--env", "ESTUARY_TOKEN", "IMAGE"]
    assert told["docker"][3] == TOKEN


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("label", ODD_LABELS)
def test_a_label_reaches_1password_as_it_is(shell: str, label: str, tools: Path) -> None:
    name, arguments, piped, _ = json.loads(
        run(shell, filled(snippet("1password", label=label)), tools)
    )

    assert (name, arguments) == ("op", ["item", "create", "-"])
    item = json.loads(piped)
    assert item["title"] == label
    assert item["fields"][0]["value"] == TOKEN


def test_a_label_that_shows_nothing_gets_a_name() -> None:
    assert '"title":"Estuary key"' in snippet("1password", label="\n\u3164").before
    assert '"title":"ab"' in snippet("1password", label="a\n\u202eb").before


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("code", "path"), [("try", "/viewer"), ("upload", "/content/add")])
def test_curl_sends_the_token_to_the_node(shell: str, code: str, path: str, tools: Path) -> None:
    (tools / "FILE").write_text("data")
    with Sandbox() as node:
        script = f"cd {tools}; {filled(snippet(code, url=urlsplit(node.url)))}"
        run(shell, script.replace("curl ", "curl -s "), tools)

        [request] = node.requests

    assert request.path == path
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.method == ("GET" if code == "try" else "POST")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", [*ODD_LABELS, "", "'", "\\", "a b", "~", "*", "$(id)", "#"])
def test_every_shell_reads_a_quoted_text_as_one_word(shell: str, text: str, tools: Path) -> None:
    assert run(shell, f"printf '[%s]' {shell_quoted(text)}", tools) == f"[{text}]"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.estuary.tech", "https://api.estuary.tech/viewer"),
        ("https://example.org/a b/$(id)", "https://example.org/a%20b/$(id)/viewer"),
        ("https://example.org/`id`;id&id|id", "https://example.org/%60id%60;id&id%7Cid/viewer"),
        ("https://example.org/it's", "https://example.org/it's/viewer"),
        ('https://example.org/"', "https://example.org/%22/viewer"),
        ("http://[2001:db8::7]:3004", "http://[2001:db8::7]:3004/viewer"),
        ("http://[::1]:3004/[a-z]/{x,y}", "http://[::1]:3004/%5Ba-z%5D/%7Bx,y%7D/viewer"),
        ("https://example.org/%41/~x", "https://example.org/%41/~x/viewer"),
        ("https://example.org/ü/*?", "https://example.org/%C3%BC/*/viewer"),
    ],
)
def test_a_shell_reads_the_address_as_one_word(url: str, address: str) -> None:
    api_url: SplitResult = urlsplit(url)._replace(query="")

    words = shlex.split(snippet("try", url=api_url).text)

    assert words[-4:] == ["curl", "-H", "@-", address]


def test_the_line_for_the_environment_needs_no_quotes() -> None:
    assert snippet("env").text == f"ESTUARY_TOKEN={PLACEHOLDER}"


def test_a_snippet_has_one_place_for_the_token() -> None:
    for one in snippets_of(NODE, "backup"):
        assert one.text.count(PLACEHOLDER) == 1
