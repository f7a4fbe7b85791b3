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
    in_view = [file for file, runs_in_view in files.items() if runs_in_view]
    around = [file for file, runs_in_view in files.items() if not runs_in_view]
    for title, group in (("In the view", in_view), ("Around it, as for every page", around)):
        lines = [f"{title}: {len(group)} files", *(f"  {file}" for file in group)]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.write(f"{len(files)} files on the path of {options.path}\n")
    return 0


def files_on_the_way(path: str, method: str) -> dict[str, bool]:
    """The files that run for the second of two such requests, and whether the view calls them."""
    with console() as send:
        from django.urls import resolve

        read(send(method, path))
        counted = Counted(resolve(path).func.__code__)
        with counted:
            response = send(method, path)
            counted.is_in_view = response.streaming  # its content is made after the view returns
            read(response)
    return counted.files()


def read(response: Any) -> None:
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code} is no page")
    if response.streaming:
        for _ in response:
            pass
    response.close()


class Counted:
    """Notes the file of each function that is called in this thread."""

    def __init__(self, view: types.CodeType) -> None:
        self.is_in_view = False
        self._view = view
        self._called: dict[str, bool] = {}

    def __enter__(self) -> None:
        sys.setprofile(self._note)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: types.FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if code is self._view:
            self.is_in_view = event == "call"
        if event == "call":
            self._called[code.co_filename] = self._called.get(code.co_filename) or self.is_in_view

    def files(self) -> dict[str, bool]:
        """Ours, relative to the repository, in alphabetical order."""
        names = {Path(name): is_in_view for name, is_in_view in self._called.items()}
        ours = {
            name.relative_to(ROOT).as_posix(): is_in_view
            for name, is_in_view in names.items()
            if name.is_relative_to(ROOT)
        }
        return {
            name: ours[name]
            for name in sorted(ours)
            if name.startswith(PACKAGES) and not name.startswith(NOT_OURS)
        }


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
