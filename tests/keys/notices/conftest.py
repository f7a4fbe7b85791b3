"""A mail server, a receiver of webhooks, and a worker that delivers inside the test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from typing import Any

import pytest

from keys.jobs import workers
from keys.models import Worker
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.support.mail_server import MailServer
from tests.support.serving import Quiet, Serving


@pytest.fixture
def token(node: Sandbox, account: Account) -> str:
    """The console's own key, which ends beyond every threshold: no digest names it."""
    return node.add_key(account, label="console", lifetime=timedelta(days=400))


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.HAS_MAIL_SERVER = True
        yield server


class Receiver:
    """What webhooks were posted; answers with `status`, and with `location` when it is set."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 204
        self.location = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.posts.append((self.path, headers, body))
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with Serving(Handler) as serving:
        found.port = serving.port
        yield found


@pytest.fixture
def worker(db: None) -> Iterator[Worker]:
    yield workers.register()
    workers.unregister()
