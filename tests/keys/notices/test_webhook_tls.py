"""Over https a receiver of webhooks must prove its name before it gets a message."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.notices import webhook
from keys.notices.channels import DeliveryFailed
from tests.keys.upstream.server import ScriptedNode

NAME = "hook.example"
DONE = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for NAME, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "receiver.pem"
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


@pytest.fixture
def receiver(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[ScriptedNode]:
    """A receiver on this machine that every name leads to."""
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *rest, **more: real("127.0.0.1", *rest, **more)
    )
    with ScriptedNode(DONE, tls=context) as node:
        yield node


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))


@pytest.mark.usefixtures("trusted")
def test_a_receiver_that_proves_its_name_gets_the_message(receiver: ScriptedNode) -> None:
    webhook.post(f"https://{NAME}:{receiver.port}/hook", b"{}", {})

    [request] = receiver.requests
    assert (request.target, request.headers["host"]) == ("/hook", f"{NAME}:{receiver.port}")


@pytest.mark.usefixtures("trusted")
def test_a_receiver_with_another_name_gets_nothing(receiver: ScriptedNode) -> None:
    with pytest.raises(DeliveryFailed, match="SSLError"):
        webhook.post(f"https://other.example:{receiver.port}/hook", b"{}", {})

    assert receiver.requests == []


def test_a_receiver_that_nobody_vouches_for_gets_nothing(receiver: ScriptedNode) -> None:
    with pytest.raises(DeliveryFailed, match="SSLError"):
        webhook.post(f"https://{NAME}:{receiver.port}/hook", b"{}", {})

    assert receiver.requests == []
