"""Run a management command under a made-up production environment."""

from __future__ import annotations

import base64
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
            TOKEN_SEALING_KEYS=base64.b64encode(secrets.token_bytes(32)).decode(),
            TRUSTED_PROXIES="127.0.0.1,::1",
            DATA_DIR=data_dir,
            PUBLIC_URL="https://keys.example.com",
        )
        execute_from_command_line(sys.argv)
