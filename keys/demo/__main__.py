"""`make demo`: a console with a sandbox node and made-up members, on this machine only."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from keys.sandbox import Sandbox

PASSWORD = "sandbox"  # noqa: S105 - printed on the screen, reachable from this machine only
ROOT = Path(__file__).resolve().parents[2]
#: Variables that programs need. Others are dropped: they may be the settings of a real console.
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_",
    "TERM",
    "TMPDIR",
    "LD_",
    "VIRTUAL_ENV",
    "PYTHON",
    "COVERAGE",
)


def main() -> int:
    port = read_port()
    listener = listen(port)
    if listener is None:
        sys.stderr.write(f"Port {port} is taken. Try: make demo PORT={port + 1}\n")
        return 1
    # Ctrl-C reaches the whole process group, a supervisor's SIGTERM only this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A process that a shell starts in the background ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="estuary-admin-demo-") as data_dir, Sandbox() as node:
        set_environment(environment(data_dir, port, listener.fileno(), node.url))
        bobs_token = prepare(node)
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "estuary_admin.wsgi"],
            cwd=ROOT,
            pass_fds=[listener.fileno()],
        )
        worker = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT)
        try:
            if not answers(port, server):
                return 1
            print_welcome(port, node.url, bobs_token)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            for process in (server, worker):
                process.terminate()
            for process in (server, worker):
                process.wait()


def read_port() -> int:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--port", type=int, default=8000)
    port: int = parser.parse_args().port
    return port


def listen(port: int) -> socket.socket | None:
    """Take the port before anything is prepared, so that of two demos only one goes on."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        return None
    return listener


def environment(data_dir: str, port: int, descriptor: int, node_url: str) -> dict[str, str]:
    """The settings of the demo, which writes only into a folder of its own."""
    return {
        "DJANGO_SETTINGS_MODULE": "estuary_admin.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DATA_DIR": data_dir,
        "DATABASE_URL": f"sqlite:///{data_dir}/demo.sqlite3",
        "STATIC_ROOT": f"{data_dir}/static",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PUBLIC_URL": f"http://localhost:{port}",
        "ESTUARY_API_URL": node_url,
        "SANDBOX": "true",
        "BIND": f"fd://{descriptor}",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }


def set_environment(values: dict[str, str]) -> None:
    """Replace the settings of a real console that the shell may hold."""
    for name in [name for name in os.environ if not name.startswith(KEPT_VARIABLES)]:
        del os.environ[name]
    os.environ.update(values)


def prepare(node: Sandbox) -> str:
    """Make the database and the static files, seed the members; returns the token for bob."""
    import django

    django.setup()
    from django.core.management import call_command

    from keys.demo.team import seed_team

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    return seed_team(node, PASSWORD)


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the app serves; False when it ended instead."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return True
    return False


def print_welcome(port: int, node_url: str, bobs_token: str) -> None:
    lines = [
        "",
        f"  Estuary Admin   http://localhost:{port}/",
        f"  Sandbox node    {node_url}",
        "",
        "  Sign in as alice (connected), bob (not connected) or carol (admin);",
        f"  the password is {PASSWORD} for all.",
        f"  A key for bob to connect: {bobs_token}",
        "  Ctrl-C ends both.",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
