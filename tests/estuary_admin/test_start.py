"""The start of the console."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_server_does_not_start_without_sealing_keys(tmp_path: Path) -> None:
    ended = run("-c", "import estuary_admin.wsgi", SECRET_KEY="x" * 50, DATA_DIR=str(tmp_path))

    assert ended.returncode == 4
    assert "Set TOKEN_SEALING_KEYS" in ended.stderr


RIGHT = {"SECRET_KEY": "x" * 50, "TOKEN_SEALING_KEYS": base64.b64encode(b"k" * 32).decode()}


def test_gunicorn_ends_with_one_sentence_about_a_wrong_setting(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    ended = run(
        *("-m", "gunicorn", "estuary_admin.wsgi"),
        **{**RIGHT, "DATA_DIR": str(file), "BIND": "127.0.0.1:0", "WEB_CONCURRENCY": "1"},
    )

    assert ended.returncode == 4
    assert f"DATA_DIR is '{file}', which is not a directory." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_without_a_place_for_the_database_is_one_sentence(tmp_path: Path) -> None:
    given = RIGHT | {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/no/x.sqlite3",
    }

    ended = run("-c", "import estuary_admin.wsgi", **given)

    assert ended.returncode == 4
    assert f"x.sqlite3.in-use cannot be written in {tmp_path}/no" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", [["members", "list"], ["prune"], ["verify_audit"]])
@pytest.mark.parametrize("address", ["", "postgres://u:hunter2@127.0.0.1:9/db"])
def test_a_command_without_a_database_ends_with_one_sentence(
    tmp_path: Path, command: list[str], address: str
) -> None:
    ended = run(
        *("manage.py", *command), **{**RIGHT, "DATA_DIR": str(tmp_path), "DATABASE_URL": address}
    )

    assert ended.returncode == 1
    assert "The database cannot be used: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("WEB_THREADS", "many"), ("WEB_LIMIT_REQUEST_LINE", "9000"), ("LOG_LEVEL", "LOUD")],
)
def test_a_wrong_setting_of_gunicorn_is_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    ended = run(
        *("-m", "gunicorn", "estuary_admin.wsgi"),
        **{**RIGHT, "DATA_DIR": str(tmp_path), "BIND": "127.0.0.1:0", name: value},
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{name} is ")
    assert len(ended.stderr.splitlines()) == 1


AS_NOBODY = """
import os, pathlib
from estuary_admin import environment
os.setgid(65534)
os.setuid(65534)
environment.folder("DATA_DIR", pathlib.Path("unused"))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_data_folder_of_another_user_is_named_with_both_users() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        ended = run("-c", AS_NOBODY, DATA_DIR=folder)

    sentence = f"DATA_DIR {folder} cannot be written by uid 65534; it belongs to uid 0."
    assert sentence in ended.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_any_user_of_group_0_can_write_a_data_folder_of_that_group() -> None:
    as_any_user = AS_NOBODY.replace("os.setgid(65534)", "os.setgid(0)")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o770)
        ended = run("-c", as_any_user, DATA_DIR=folder)

    assert ended.returncode == 0, ended.stderr


def test_an_address_that_the_client_cannot_use_stops_the_start(tmp_path: Path) -> None:
    keys = {"SECRET_KEY": "x" * 50, "DATA_DIR": str(tmp_path)}
    ended = run("manage.py", "check", ESTUARY_API_URL="https://exa mple.org", **keys)

    assert ended.returncode == 1
    assert ended.stderr.startswith("ESTUARY_API_URL is 'https://exa mple.org'; give an address")


def test_the_sandbox_node_needs_no_settings(tmp_path: Path) -> None:
    ended = run("manage.py", "sandbox", "--help", DATA_DIR=str(tmp_path))

    assert ended.returncode == 0
    assert "made-up Estuary node" in ended.stdout


BELOW_A_PATH = """
import django
django.setup()
from django.conf import settings
from django.urls import reverse
from estuary_admin.sso.provider import Adapter
callback = Adapter(None, "corp").get_callback_url(None, None)
print(reverse("keys:key_list"), settings.STATIC_URL, callback)
"""


def test_addresses_have_the_path_of_the_console_once(tmp_path: Path) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "estuary_admin.settings",
        "DATA_DIR": str(tmp_path),
        "PUBLIC_URL": "https://example.org/estuary",
    }

    ended = run("-c", BELOW_A_PATH, **RIGHT, **environment)

    assert ended.stdout.split() == [
        "/estuary/keys/",
        "/estuary/static/",
        "https://example.org/estuary/accounts/oidc/corp/callback/",
    ], ended.stderr
