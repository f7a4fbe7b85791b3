#!/usr/bin/env python
"""Django's command-line entry point."""

from __future__ import annotations

import os
import secrets
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")
    if sys.argv[1:2] == ["sandbox"]:
        # The sandbox node signs nothing, and runs without any settings.
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
    if sys.argv[1:2] == ["env"]:
        # It writes the settings, so it must not need any.
        from estuary_admin.management.commands.env import Command

        Command().run_from_argv(sys.argv)
        return
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # a sentence about a setting, which a traceback would bury
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        reason = str(error).partition("\n")[0]
        sys.exit(
            f"The database cannot be used: {reason}. Run `manage.py doctor`, or "
            "`manage.py migrate` if its tables are missing; --traceback shows the details."
        )


if __name__ == "__main__":
    main()
