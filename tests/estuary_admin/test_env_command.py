"""`manage.py env` makes the settings, and needs none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.support.console import ROOT

#: No settings: the command has to make them. Coverage must reach the process.
PASSED_ON = {
    name: value for name, value in os.environ.items() if name.startswith(("PATH", "COVERAGE"))
}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        cwd=folder,
        env={**PASSED_ON, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def values_in(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_a_console_starts_with_what_it_writes(tmp_path: Path) -> None:
    done = run(tmp_path, "env", "--set", f"DATA_DIR={tmp_path / 'data'}")
    assert done.returncode == 0, done.stderr
    values = values_in(tmp_path / ".env")

    checked = run(tmp_path, "check", **values)

    assert checked.returncode == 0, checked.stderr
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert (len(values["SECRET_KEY"]), len(values["TOKEN_SEALING_KEYS"])) == (64, 44)
    example = (ROOT / ".env.example").read_text()
    assert len((tmp_path / ".env").read_text().splitlines()) == len(example.splitlines())


def test_secrets_differ_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(tmp_path, "env", name).returncode == 0

    one, two = values_in(tmp_path / "one"), values_in(tmp_path / "two")
    assert one["SECRET_KEY"] != two["SECRET_KEY"]
    assert one["TOKEN_SEALING_KEYS"] != two["TOKEN_SEALING_KEYS"]


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("mine")

    refused = run(tmp_path, "env")

    assert refused.returncode == 1
    assert ".env exists already" in refused.stderr
    assert (tmp_path / ".env").read_text() == "mine"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("PUBLIC_URL", "must look like PUBLIC_URL=https://keys.example.com"),
        ("SECRET=x", "SECRET is not a variable of .env.example"),
        ("SSO_OIDC_NAME=My Corp", "must have no blanks"),
        ("SSO_OIDC_NAME=$(id)", "must have no blanks"),
        (
            "DATABASE_URL=postgres://u@h/db?sslmode=require&gssencmode=disable",
            "must have no blanks",
        ),
        ("DATA_DIR=~/data", "must have no blanks"),
        ("POLICY_LABEL_PATTERN=(a|b)", "must have no blanks"),
    ],
)
def test_a_value_that_a_shell_would_read_differently_is_refused(
    tmp_path: Path, given: str, sentence: str
) -> None:
    refused = run(tmp_path, "env", "--set", given)

    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert not (tmp_path / ".env").exists()


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot be written: No such file or directory\."):
        call_command("env", str(tmp_path / "nowhere" / ".env"))
