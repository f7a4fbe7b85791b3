from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.upstream import EstuaryClient, KeySpec, Permission, adapter
from keys.upstream import node as upstream_node
from tests.keys.upstream.server import Action, ScriptedNode, reply

TOKEN = "EST11111111-1111-4111-8111-111111111111ARY"
TOKEN_HASH = "CbJQnRSJvzPrqKouIJWq4XNVgWG4WvI85QEvJ9BBFxY"
OLD_TOKEN = "ESTa8adb52c-441d-4d44-ba40-60d3ed9904c1ARY"
EXPIRY = "2126-10-31T18:13:57.642972Z"
ROW = {"token": "", "tokenHash": TOKEN_HASH, "label": "ci", "expiry": EXPIRY, "isSession": False}
OLD_ROW = {"token": OLD_TOKEN, "tokenHash": "", "label": "", "expiry": EXPIRY, "isSession": False}
CREATED = {"token": TOKEN, "tokenHash": TOKEN_HASH, "label": "ci", "expiry": EXPIRY}
DONE = reply(200, b"", {"Content-Type": ""})
STATS = {"totalSize": 84190, "numPins": 5}
SPEC = KeySpec("ci", timedelta(days=1), Permission.UPLOAD)
NodeFactory = Callable[..., ScriptedNode]


@pytest.fixture(autouse=True)
def _close_connections() -> Iterator[None]:
    """Every test has nodes of its own, so what is kept for the next request is of no use."""
    yield
    for session in adapter._sessions.values():
        session.close()
    adapter._sessions.clear()


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_node, "_RETRY_PAUSES", (0.01, 0.01))


@pytest.fixture
def node() -> Iterator[NodeFactory]:
    """Starts nodes that answer with the given actions, and stops them in the end."""
    with ExitStack() as stack:

        def start(*actions: Action, **options: object) -> ScriptedNode:
            return stack.enter_context(ScriptedNode(*actions, **options))  # type: ignore[arg-type]

        yield start


def client_of(node: ScriptedNode, timeout: float = 5.0) -> EstuaryClient:
    """A client with a token that could be real."""
    return EstuaryClient(node.url, TOKEN, timeout)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    own_address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(own_address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "node.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
