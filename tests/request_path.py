"""`python -m tests.request_path /keys/`: our files that run to answer one request.

A sandbox node, a connected member and a database in a folder of their own; the request is sent a
second time while `sys.setprofile` notes each of our functions that is called. What runs only at
start, or only for the first request of a process, is not on the path of a request.
"""

from __future__ import annotations

import argparse
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("estuary_admin", "keys")
#: The stand-in for Estuary answers in the same process, in threads of its own.
NOT_OURS = ("keys/sandbox/",)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.request_path")
    parser.add_argument("path", nargs="?", default="/keys/")
    parser.add_argument("--post", action="store_true", help="send a POST without fields")
    options = parser.parse_args()
    files = files_on_the_way(options.path, "post" if options.post else "get")
    for file in files:
        sys.stdout.write(f"{file}\n")
    sys.stdout.write(f"{len(files)} files on the path of {options.path}\n")
    return 0


def files_on_the_way(path: str, method: str) -> list[str]:
    """The files that run for the second of two such requests, in a console of their own."""
    with console() as send:
        read(send(method, path))
        return [
            file
            for file in files_called(lambda: read(send(method, path)))
            if not file.startswith(NOT_OURS)
        ]


def read(response: Any) -> None:
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code} is no page")
    if response.streaming:
        for _ in response:
            pass
    response.close()


def files_called(act: Callable[[], None]) -> list[str]:
    """Our files, relative to the repository, with a function that `act` calls in this thread."""
    called: set[str] = set()

    def note(frame: types.FrameType, event: str, _: Any) -> None:
        if event == "call":
            called.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    ours = [Path(name) for name in called if name.startswith(str(ROOT))]
    found = [name.relative_to(ROOT).as_posix() for name in ours]
    return sorted(name for name in found if name.startswith(PACKAGES))


@contextmanager
def console() -> Iterator[Callable[[str, str], Any]]:
    """A function that sends a request as a member who is signed in and connected."""
    os.environ.update(DJANGO_SETTINGS_MODULE="tests.settings", LOG_LEVEL="ERROR")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    setup_test_environment()
    from urllib.parse import urlsplit

    from django.contrib.auth.models import User

    from keys.actors import Actor
    from keys.sandbox import Sandbox
    from keys.token.stored_tokens import connect_token

    with Sandbox(rate_limit=None) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        call_command("migrate", verbosity=0)
        member = User.objects.create_user("alice")
        account = node.add_user("alice", contents=3)
        connect_token(Actor(member, "", ""), node.add_key(account, label="console"))
        client = Client()
        client.force_login(member)
        yield lambda method, path: getattr(client, method)(path)


if __name__ == "__main__":
    sys.exit(main())
