"""Read a new password on the command line, and set it on a member if it is good enough."""

from __future__ import annotations

import getpass
import sys

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def set_new_password(member: User, *, from_stdin: bool) -> None:
    """Set the password without saving; raises CommandError with what is wrong."""
    password = _read_password(from_stdin=from_stdin)
    try:
        validate_password(password, member)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    member.set_password(password)


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password again: "):
        raise CommandError("The two passwords differ.")
    return password
