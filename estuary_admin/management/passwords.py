"""Read a new password on the command line, if it is good enough."""

from __future__ import annotations

import getpass
import sys

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def new_password(member: User, *, from_stdin: bool) -> str:
    """The password that is typed for a member; raises CommandError with what is wrong.

    Call it outside transactions: people take their time.
    """
    password = _read_password(from_stdin=from_stdin)
    try:
        validate_password(password, member)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    return password


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return _line_of_stdin()
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Password again: ")
    except EOFError:
        raise CommandError("Nobody types here: use --password-stdin.") from None
    if password != again:
        raise CommandError("The two passwords differ.")
    return password


def _line_of_stdin() -> str:
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        line.encode()  # Python may have read other bytes as surrogates
    except UnicodeError:
        raise CommandError("The password on standard input is not UTF-8.") from None
    return line
