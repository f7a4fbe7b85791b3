#!/usr/bin/env python
"""Django's command-line entry point."""

from __future__ import annotations

import os
import secrets
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estuary_admin.settings")
    if sys.argv[1:2] == ["sandbox"]:
        # The made-up node has nothing to sign, and should run without any set-up.
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
    if sys.argv[1:2] == ["env"]:
        # It writes the settings, so it must not need any.
        from estuary_admin.management.commands.env import Command

        Command().run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
