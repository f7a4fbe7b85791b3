"""The installation page, followed from its first command to a restored backup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.docs.host import Host, https_sign_in, variables
from tests.docs.pages import ROOT, block
from tests.support.processes import listens, skip_when_fast, start_server, stop_server, wait_until

PASSWORD = "correct horse battery"


@dataclass
class Installed:
    host: Host
    checked: str  # what the commands after the helper printed


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A machine after the sections up to the service."""
    skip_when_fast()
    host = Host(tmp_path_factory.mktemp("host"))
    with Sandbox(rate_limit=None) as node:
        host.run(block("install.md", "sudo adduser").text)
        host.run(block("install.md", "git clone REPOSITORY").text)
        host.names = {"https://api.estuary.tech": node.url}
        host.run(block("install.md", "manage.py env").text)
        with host.path("/etc/estuary-admin.env").open("a") as settings:
            settings.write(f"BIND=127.0.0.1:{host.port}\n")
        host.write("/usr/local/sbin/estuary-admin", block("install.md", "#!/bin/sh").text)
        commands = block("install.md", "estuary-admin check --deploy").text
        checked = host.run(commands, given=f"{PASSWORD}\n{PASSWORD}\n")
        host.run(block("install.md", "systemctl daemon-reload").text)
        yield Installed(host, checked)


@pytest.fixture
def served(installed: Installed) -> Iterator[Host]:
    """The console and its worker as systemd starts them: the units' commands and environment."""
    host = installed.host
    with (
        unit(host, "estuary-admin", lambda: listens(host.port)),
        unit(host, "estuary-admin-worker"),
    ):
        yield host


@contextmanager
def unit(host: Host, name: str, is_ready: Callable[[], bool] = lambda: True) -> Iterator[None]:
    text = host.path(f"/etc/systemd/system/{name}.service").read_text()
    [command, folder, settings] = [
        host.replaced(value)
        for key in ("ExecStart", "WorkingDirectory", "EnvironmentFile")
        for value in re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    ]
    server = start_server(
        command.split(),
        host.folder / f"{name}.log",
        is_ready,
        cwd=Path(folder),
        environment=variables(Path(settings)),
    )
    try:
        yield
    finally:
        stop_server(server)


def test_the_checks_name_no_issue(installed: Installed) -> None:
    assert "System check identified no issues (0 silenced)" in re.sub(
        r"\(\d+ silenced\)", "(0 silenced)", installed.checked
    )


def test_the_settings_and_the_data_are_not_for_others(installed: Installed) -> None:
    assert installed.host.path("/etc/estuary-admin.env").stat().st_mode & 0o777 == 0o640
    assert installed.host.path("/var/lib/estuary-admin").stat().st_mode & 0o777 == 0o700


def test_the_service_answers_the_checks_and_signs_in(served: Host) -> None:
    healthz, readyz, page, doctor = block("install.md", "/healthz").text.strip().splitlines()

    assert served.run(healthz) == "ok"
    assert '"database": "ok"' in served.run(readyz)
    # Without TLS here: what the proxy would send.
    served.names = {
        "https://keys.example.com": "-H Host:keys.example.com -H X-Forwarded-Proto:https"
        " http://127.0.0.1:8000"
    }
    headers = served.run(page)
    served.names = {}
    wait_until(lambda: served.succeeds(doctor))  # until the worker has been seen
    assert "Strict-Transport-Security" in headers
    assert "Content-Security-Policy" in headers
    assert "alice</bdi>, admin" in https_sign_in(served.port, "keys.example.com", "alice", PASSWORD)


def test_an_upgrade_is_done_as_described(served: Host) -> None:
    commands = block("upgrading.md", "git fetch").text
    wait_until(lambda: served.succeeds("sudo estuary-admin doctor"))  # the worker has been seen

    told = served.run(commands)

    assert "Nothing is broken." in told
    assert '"database": "ok"' in told


@pytest.mark.timeout(600)  # each command is a process
def test_each_command_about_members_works_in_the_order_of_the_page(installed: Installed) -> None:
    section = (ROOT / "docs/install.md").read_text().partition("## Members")[2].partition("##")[0]
    commands = re.findall(r"`(sudo estuary-admin [^`]+)`", section)
    host, created = installed.host, 0
    for command in commands:
        if "createmember" in command:  # the page creates the same member in two ways
            created += 1
            command = command.replace("bob", "bob" if created == 1 else "bert")
        host.run(command, given=f"{PASSWORD}\n" * 2)

    assert (created, len(commands)) == (2, 9)
    listed = host.run("sudo estuary-admin members list")
    assert re.search(r"^alice\b.*admin", listed, re.MULTILINE)
    assert re.search(r"^bob\b", listed, re.MULTILINE)


def test_a_backup_is_made_and_restored(installed: Installed) -> None:
    host = installed.host
    host.run(block("operations.md", "sudo estuary-admin backup").text)
    [copy] = host.path("/var/lib/estuary-admin/backups").iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600

    named = re.search(r"estuary-admin-\d{8}-\d{6}\.sqlite3", copy.name)
    assert named
    [written] = set(
        re.findall(
            r"estuary-admin-\d{8}-\d{6}\.sqlite3",
            block("operations.md", "estuary-admin restore").text,
        )
    )
    host.names = {written: copy.name}
    host.run(block("operations.md", "estuary-admin restore").text)
