"""The commands and proxy configurations of docs/sso.md, run as the page has them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.sandbox import Sandbox
from tests.docs.pages import ROOT, Block, block, blocks
from tests.proxies.configurations import APACHE_MODULES, SITE, write_apache, write_nginx
from tests.proxies.provider import Provider
from tests.proxies.verifier import Verifier
from tests.support.console import Console
from tests.support.processes import clock_environment, free_port
from tests.support.programs import Running, program

Curl = Callable[[str], str]


def environment_of(one: Block) -> dict[str, str]:
    """The variables of a block, as a shell reads them."""
    words = shlex.split(one.text, comments=True)
    return dict(word.split("=", 1) for word in words)


def environment_after(heading: str) -> dict[str, str]:
    """The variables of the one such block in a section."""
    lines = (ROOT / "docs/sso.md").read_text(encoding="utf-8").splitlines()
    start = lines.index(f"## {heading}")
    end = next(n for n in range(start + 1, len(lines)) if lines[n].startswith("## "))
    [found] = [one for one in blocks("sso.md") if one.is_environment and start < one.line <= end]
    return environment_of(found)


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "site.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "site.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def curl_in(folder: Path, console: Console, front: int) -> Curl:
    """Run a curl command of the page; the names in it lead to the servers of the test."""
    program("curl", "curl")
    (folder / ".curlrc").write_text(
        f'connect-to = "{SITE}:443:127.0.0.1:{front}"\n'
        f'connect-to = "CONSOLE:8000:127.0.0.1:{console.port}"\n'
        f'cacert = "{folder}/site.crt"\n'
    )

    def curl(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", command],
            env={"PATH": os.environ["PATH"], "HOME": str(folder)} | clock_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return curl


DIRECT = block("sso.md", "http://CONSOLE:8000/keys/")
THROUGH = block("sso.md", "https://keys.example.com/keys/")


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Curl]:
    """The console behind nginx by the page's own configuration; alice is an admin."""
    nginx, folder, front = program("nginx", "nginx"), tmp_path_factory.mktemp("nginx"), free_port()
    make_certificate(folder)
    settings = environment_after("nginx with auth_request") | {"PUBLIC_URL": f"https://{SITE}"}
    with (
        Sandbox(rate_limit=None) as node,
        Console(folder, node, [], environment=settings) as console,
        Verifier() as verifier,
    ):
        verifier.groups = {"alice": "admins"}
        assert block("sso.md", "auth_request /verify")
        arguments = write_nginx(folder, front, verifier, console, is_https=True)
        with Running([nginx, *arguments], front, folder / "nginx.log"):
            yield curl_in(folder, console, front)


def test_nginx_brings_a_member_in_and_no_header_of_a_client(behind_nginx: Curl) -> None:
    page = behind_nginx(f"curl -s -b who=alice -H 'Remote-User: root' https://{SITE}/account/")
    assert re.search(r"Signed in as <bdi>alice</bdi>, admin", page)

    lying = f"curl -s -b who=bob -H 'Remote-Groups: admins' https://{SITE}/account/"
    assert re.search(r"Signed in as <bdi>bob</bdi>\.", behind_nginx(lying))


def test_nginx_keeps_strangers_out(behind_nginx: Curl) -> None:
    assert behind_nginx(THROUGH.text) == "401\n"
    assert behind_nginx(DIRECT.text) == "301\n"


def test_without_https_the_port_refuses_with_403(tmp_path: Path) -> None:
    settings = environment_after("Authelia") | {
        "SSO_TRUSTED_PROXIES": "10.0.0.5",
        "SSO_PROXY_SECRET": "a-secret-of-the-proxy-for-a-test",
    }
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment=settings) as console,
    ):
        curl = curl_in(tmp_path, console, console.port)
        command = DIRECT.text.replace(f"Host: {SITE}", f"Host: localhost:{console.port}")

        assert curl(command) == "403\n"


def test_apache_keeps_strangers_out(tmp_path: Path) -> None:
    module = f"{APACHE_MODULES}/mod_auth_openidc.so"
    apache = program("apache2", "apache2 and libapache2-mod-auth-openidc", also=module)
    make_certificate(tmp_path)
    settings = environment_after("Apache with mod_auth_openidc")
    front = free_port()
    with (
        Provider(tmp_path) as provider,
        Sandbox(rate_limit=None) as node,
        Console(
            tmp_path, node, [], environment=settings | {"PUBLIC_URL": f"https://{SITE}"}
        ) as console,
    ):
        assert block("sso.md", "OIDCPassClaimsAs")
        arguments = write_apache(tmp_path, front, provider, console, is_https=True)
        with Running([apache, *arguments], front, tmp_path / "apache.log"):
            curl = curl_in(tmp_path, console, front)

            assert curl(THROUGH.text) == "302\n"
            assert curl(DIRECT.text) == "301\n"


def run(folder: Path, text: str, settings: dict[str, str], given: str = "") -> str:
    """Run a block of `python manage.py` commands with these settings on a fresh database."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "TOKEN_SEALING_KEYS": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=",
        "PUBLIC_URL": f"https://{SITE}",
        "DATA_DIR": str(folder),
        **clock_environment(),
        **settings,
    }
    done = subprocess.run(
        ["bash", "-euc", f"python manage.py migrate -v 0\n{text}"],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # without a terminal, so that a password comes from `given`
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def test_the_doctor_checks_and_tries_a_request(tmp_path: Path) -> None:
    settings = environment_after("Authelia")
    settings |= {"SSO_PROXY_SECRET": "", "SSO_ADMIN_GROUPS": "admins"}

    said = run(tmp_path, block("sso.md", "sso_doctor --peer").text, settings)

    assert "ok     Identity: alice of proxy:authelia." in said
    direct = re.sub(r"\s*\\\n\s*", " ", DIRECT.text).strip()
    assert direct in said  # the page and the doctor name the same command
    assert "It must print 301, or not connect." in said


def test_the_rescue_admin_is_made(tmp_path: Path) -> None:
    settings = environment_after("Authelia") | {
        "SSO_PROXY_SECRET": "",
        "SSO_LOCAL_FALLBACK": "true",
    }
    given = "correct horse battery\ncorrect horse battery\n"

    said = run(tmp_path, block("sso.md", "createmember rescue").text, settings, given)

    assert "admin rescue" in said
