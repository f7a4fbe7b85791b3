"""A team's parts: two machines with the console on PostgreSQL and Redis, and nginx before them."""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keys.sandbox import Sandbox
from tests.backing import Backing, PostgreSQL, Redis, running
from tests.browser.console import ROOT, Console, free_port
from tests.proxies.programs import Running, program

SHIPPED = ROOT / "deploy" / "nginx"
HTTP = """
daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log stderr;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include estuary-admin/estuary-admin.conf;
}}
"""


@dataclass
class Team:
    front: str
    one: Console
    two: Console
    node: Sandbox
    database: Backing
    redis: Backing


@contextlib.contextmanager
def team(folder: Path, members: dict[str, int]) -> Iterator[Team]:
    """Members are names with how many keys each has."""
    port = free_port()
    front = f"http://localhost:{port}"
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(running(PostgreSQL))
        redis = stack.enter_context(running(Redis))
        node = stack.enter_context(Sandbox(rate_limit=None))
        shared = {
            "PUBLIC_URL": front,
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "TRUSTED_PROXIES": "127.0.0.1",
            "DATABASE_URL": database.url,
            "REDIS_URL": redis.url,
        }
        one = console_of(
            folder / "one", node, shared, [seat(node, *pair) for pair in members.items()]
        )
        two = console_of(folder / "two", node, shared, [])
        stack.enter_context(one)
        stack.enter_context(two)
        stack.enter_context(nginx(folder, port, one, two))
        yield Team(front, one, two, node, database, redis)


def seat(node: Sandbox, name: str, keys: int) -> dict[str, str]:
    account = node.add_user(name)
    token = node.add_key(account, label="console")
    for number in range(1, keys):
        node.add_key(account, label=f"key {number}")
    return {"name": name, "token": token}


def console_of(
    folder: Path, node: Sandbox, shared: dict[str, str], members: list[dict[str, str]]
) -> Console:
    folder.mkdir()
    return Console(folder, node, members, environment=shared)


def nginx(folder: Path, port: int, one: Console, two: Console) -> Running:
    """The shipped files, with this test's ports in the place of the real ones, and without TLS."""
    found = program("nginx", "nginx-light")
    shipped = folder / "estuary-admin"
    shipped.mkdir()
    for file in SHIPPED.glob("*.conf"):
        (shipped / file.name).write_text(adapted(file.read_text(), folder, port, one, two))
    (folder / "nginx.conf").write_text(HTTP.format(folder=folder))
    command = [found, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Running(command, port, folder / "nginx.log")


def adapted(text: str, folder: Path, port: int, one: Console, two: Console) -> str:
    text = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*(listen \[::\]|ssl_).*\n", "", text, flags=re.MULTILINE)
    others = f"max_fails=1 fail_timeout=5s;\n    server 127.0.0.1:{two.port} "
    return (
        text.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
        .replace("server 127.0.0.1:8000 ", f"server 127.0.0.1:{one.port} {others}")
        .replace("keys.example.com", "localhost")
        .replace("Host $host;", "Host $http_host;")
        .replace("/var/log/nginx/", f"{folder}/")
    )
