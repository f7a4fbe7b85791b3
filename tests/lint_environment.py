"""Run a management command under a made-up production environment."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data_dir:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="estuary_admin.settings",
            SECRET_KEY=secrets.token_urlsafe(64),
            TOKEN_SEALING_KEYS="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            DATA_DIR=data_dir,
            PUBLIC_URL="https://keys.example.com",
        )
        execute_from_command_line(sys.argv)
