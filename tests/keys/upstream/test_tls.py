"""Over https the node must prove who it is before it sees a token."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.upstream import EstuaryClient, UpstreamUnavailable
from tests.keys.upstream.conftest import SPEC, STATS, TOKEN, NodeFactory, client_of
from tests.keys.upstream.server import close_at_once, json_reply, then
from tests.keys.upstream.test_deadlines import ends_after


@pytest.fixture(scope="module")
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


@pytest.mark.usefixtures("_trusted")
def test_a_node_with_a_trusted_certificate_is_asked(node: NodeFactory, tls: ssl.SSLContext) -> None:
    estuary = node(json_reply(STATS), json_reply(STATS), tls=tls)

    assert client_of(estuary).stats().pin_count == 5
    assert client_of(estuary).stats().pin_count == 5
    assert estuary.connections == 1


def test_a_node_with_an_unknown_certificate_gets_nothing(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(json_reply(STATS), tls=tls)

    with pytest.raises(UpstreamUnavailable, match=r"secure.*Nothing was changed") as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "tls"
    assert caught.value.maybe_carried_out is False
    assert estuary.requests == []


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_for_another_name_gets_nothing(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(json_reply(STATS), tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        EstuaryClient(f"https://localhost:{estuary.port}", TOKEN).stats()
    assert caught.value.kind == "tls"
    assert estuary.requests == []


def test_a_node_that_speaks_no_tls_gets_nothing(node: NodeFactory) -> None:
    estuary = node()

    with pytest.raises(UpstreamUnavailable):
        EstuaryClient(f"https://127.0.0.1:{estuary.port}", TOKEN, 1.0).create_key(SPEC)
    assert estuary.requests == []


@pytest.mark.usefixtures("_trusted")
def test_a_dripping_node_does_not_exceed_the_timeout_over_tls(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(tls=tls)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: "
    estuary.actions.append(then(head, estuary.drip(b"y" * 1000)))

    with ends_after(0.5):
        client_of(estuary, timeout=0.5).stats()


@pytest.mark.usefixtures("_trusted")
def test_a_broken_connection_after_the_request_is_no_tls_problem(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(close_at_once, tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "reset"
    assert caught.value.maybe_carried_out is True


@pytest.mark.usefixtures("_trusted")
def test_rubbish_after_the_request_leaves_it_open_whether_it_was_carried_out(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(lambda sock: socket.socket.sendall(sock, b"not a TLS record at all"), tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "reset"
    assert caught.value.maybe_carried_out is True
