"""Writes a file of settings with fresh secrets."""

from __future__ import annotations

import base64
import os
import re
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"
UNSAFE = re.compile(r"[\s\"'`$\\#&;|<>()]|(^|:)~")  # systemd and a shell read these differently


class Command(BaseCommand):
    """manage.py runs this without any settings, because it makes them."""

    help = "Write a complete .env with fresh secrets; an existing file is never overwritten."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=Path(".env"))
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a variable of .env.example, such as PUBLIC_URL=https://keys.example.com",
        )

    def handle(self, *_: Any, file: Path, **options: Any) -> None:
        values = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            **dict(_named_value(text) for text in options["set"]),
        }
        text = _filled_in(EXAMPLE.read_text(encoding="utf-8"), values)
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            raise CommandError(f"{file} exists already; nothing is overwritten.") from None
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as made:
            made.write(text)
        missing = [name for name in ("PUBLIC_URL", "ESTUARY_API_URL") if name not in values]
        to_do = f"Set {' and '.join(missing)} in it, and keep" if missing else "Keep"
        self.stdout.write(f"Wrote {file}. {to_do} a copy of TOKEN_SEALING_KEYS apart from backups.")


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--set {text!r} must look like PUBLIC_URL=https://keys.example.com.")
    if UNSAFE.search(value):
        raise CommandError(
            f"The value of {name} must have no blanks, quotes or any of # $ \\ & ; | < > ( ) ~."
        )
    return name, value


def _filled_in(example: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        line = re.compile(rf"^#?{re.escape(name)}=.*$", re.MULTILINE)
        if not line.search(example):
            raise CommandError(f"{name} is not a variable of .env.example.")
        example = line.sub(lambda _, new=f"{name}={value}": new, example, count=1)  # type: ignore[misc]
    return example
