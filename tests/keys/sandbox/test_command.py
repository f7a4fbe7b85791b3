"""`manage.py sandbox` runs a node as its options say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.core.management import CommandError, call_command

from keys.management.commands import sandbox
from tests.support.processes import ending_with_parent

TOKEN = "EST22222222-2222-4222-8222-222222222222ARY"


class Visitor:
    """Comes by while the command would wait for a signal."""

    def __init__(self, out: StringIO) -> None:
        self.out = out
        self.answers: dict[str, Any] = {}

    def wait(self) -> None:
        """Ask for the keys and the stats."""
        url = self.out.getvalue().split(" on ")[1].split()[0]
        for path in ("/user/api-keys", "/user/stats"):
            request = Request(url + path, headers={"Authorization": f"Bearer {TOKEN}"})
            try:
                with urlopen(request) as reply:
                    self.answers[path] = json.loads(reply.read())
            except HTTPError as error:
                with error:
                    self.answers[path] = error.code


def _run(*options: str) -> tuple[dict[str, Any], str]:
    out = StringIO()
    visitor = Visitor(out)
    with mock.patch.object(sandbox, "ended_by_signal", return_value=visitor):
        call_command("sandbox", "--listen", "127.0.0.1:0", "--token", TOKEN, *options, stdout=out)
    return visitor.answers, out.getvalue()


def test_with_zero_keys_there_is_only_the_given_one() -> None:
    answers, output = _run("--keys", "0", "--contents", "20")

    assert [row["label"] for row in answers["/user/api-keys"]] == ["main"]
    assert answers["/user/stats"]["numPins"] == 18
    assert f"alice: {TOKEN}" in output


def test_the_showcase_is_made_unless_a_number_of_keys_is_given() -> None:
    assert len(_run()[0]["/user/api-keys"]) > 30
    assert len(_run("--keys", "7")[0]["/user/api-keys"]) == 8


def test_the_same_seed_makes_the_same_keys() -> None:
    hashes = [
        [row["tokenHash"] for row in _run("--keys", "5", "--seed", seed)[0]["/user/api-keys"]]
        for seed in ("1", "1", "2")
    ]

    assert hashes[0] == hashes[1] != hashes[2]


def test_faults_and_generation_are_taken_from_the_options() -> None:
    answers, output = _run("--generation", "vintage", "--keys", "0", "--fault", "stats=502-html")

    assert list(answers["/user/api-keys"][0]) == ["token", "expiry"]
    assert answers["/user/stats"] == 502
    assert "(vintage)" in output


def test_further_users_have_a_key_each() -> None:
    _, output = _run("--users", "3", "--latency", "1ms", "--rate-limit", "0", "--truncate-exports")

    assert "user2: EST" in output
    assert "user3: EST" in output


def test_a_state_file_brings_its_users_back(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    _run("--keys", "2", "--state-file", path)

    assert len(_run("--keys", "9", "--state-file", path)[0]["/user/api-keys"]) == 3


@pytest.mark.parametrize(
    "options",
    [
        ("--latency", "20"),
        ("--fault", "list=501"),
        ("--generation", "future"),
        ("--listen", "127.0.0.1:port"),
        ("--listen", "192.0.2.1:0"),
    ],
)
def test_a_wrong_option_gets_a_sentence(options: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=r"\w"):
        _run(*options)


@contextmanager
def _process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "manage.py", "sandbox", "--listen", "127.0.0.1:0", "--keys", "0"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        ending_with_parent(command),
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    with _process() as process:
        assert process.stdout
        assert next(line for line in process.stdout if "Ctrl-C" in line)
        process.send_signal(number)
        assert process.wait(10) == 0
