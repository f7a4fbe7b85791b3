"""Through no shipped example does a client's word about who it is reach the console."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from tests.deploy.echo import Echo
from tests.deploy.fragile import Fragile
from tests.deploy.shipped import DEPLOY, caddy, nginx
from tests.support.processes import free_port
from tests.support.programs import Running, program

Front = Callable[[Path, int, int], Running]

IDENTITY = [
    line
    for line in (DEPLOY / "identity-headers.txt").read_text().split("\n")
    if line and not line.startswith("#")
]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with Echo() as echo, request.param(tmp_path, port, echo.port):
        yield port


def passed_on(port: int, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection("localhost", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    lines = answer.read().decode().splitlines() if answer.status == 200 else []
    connection.close()
    return answer.status, dict(line.split(": ", 1) for line in lines)


def test_no_identity_header_of_a_client_passes(front: int) -> None:
    assert len(IDENTITY) > 40
    for spelt in (str, str.lower, str.upper):
        said = {spelt(name): "root" for name in IDENTITY}
        status, came = passed_on(front, "/keys/", said | {"X-Harmless": "yes"})

        assert status == 200
        assert came["X-Harmless"] == "yes"
        assert "root" not in came.values()


def test_what_a_client_says_of_its_address_is_replaced(front: int) -> None:
    claims = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Host": "evil.example"}
    _, came = passed_on(front, "/keys/", claims | {"Forwarded": "for=198.51.100.9"})

    assert came["X-Forwarded-For"] == "127.0.0.1"
    assert "evil.example" not in came.values()
    assert "Forwarded" not in came


def test_a_request_gets_an_id_that_no_client_chose(front: int) -> None:
    _, came = passed_on(front, "/keys/", {"X-Request-Id": "the-id-of-another-request"})

    assert re.fullmatch(r"[0-9a-f-]{32,36}", came["X-Request-Id"])


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_the_machines_is_closed_to_the_world(front: int, path: str) -> None:
    assert passed_on(front, path, {})[0] == 404


def test_an_address_with_a_token_leaves_nothing_in_nginxs_log(tmp_path: Path) -> None:
    port, token = free_port(), "EST11111111-2222-4333-8444-555555555555ARY"
    with Echo() as echo, nginx(tmp_path, port, echo.port):
        assert passed_on(port, f"/keys/?q={token}", {})[0] == 200

    written = (tmp_path / "estuary-admin.log").read_text()
    assert "/keys/" in written
    assert token not in written


@pytest.mark.parametrize("path", ["/accounts/link/", "/feeds/", "/below/feeds/"])
def test_an_address_with_a_secret_is_cut_in_nginxs_log(tmp_path: Path, path: str) -> None:
    port, secret = free_port(), "link-" + "x" * 43
    with Echo() as echo, nginx(tmp_path, port, echo.port):
        assert passed_on(port, f"{path}{secret}/keys.ics", {})[0] == 200

    written = (tmp_path / "estuary-admin.log").read_text()
    assert f"GET {path}..." in written
    assert "xxx" not in written


def test_nginx_takes_every_example(tmp_path: Path) -> None:
    found, name = program("nginx", "nginx-light"), tmp_path / "keys.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", name, "-out", name], check=True, capture_output=True)
    (tmp_path / "estuary-admin").mkdir()
    for file in (DEPLOY / "nginx").glob("*.conf"):
        text = re.sub(r"/etc/ssl/\S+\.(pem|key);", f"{name};", file.read_text())
        text = re.sub(r"listen (\[::\]:)?(\d+)", lambda _: f"listen 127.0.0.1:{free_port()}", text)
        text = text.replace("/var/log/nginx/", f"{tmp_path}/")
        (tmp_path / "estuary-admin" / file.name).write_text(text)
    common = tmp_path / "estuary-admin" / "estuary-admin.conf"
    for example in sorted((DEPLOY / "nginx").glob("with-*.conf")):
        included = ["estuary-admin.conf", example.name]
        lines = "".join(f"include estuary-admin/{file};\n" for file in included)
        # Each stands in the place of the server block there.
        common.write_text(
            re.sub(
                r"server \{\n    listen 127.0.0.1:\d+ ssl.*",
                "",
                common.read_text(),
                flags=re.DOTALL,
            )
        )
        config = tmp_path / "nginx.conf"
        config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ {lines} }}")

        checked = subprocess.run(
            [found, "-t", "-p", tmp_path, "-c", config], capture_output=True, text=True, check=False
        )

        assert checked.returncode == 0, f"{example.name}: {checked.stderr}"


def test_every_location_that_passes_requests_on_clears_identity_headers() -> None:
    for file in (DEPLOY / "nginx").glob("*.conf"):
        for block in re.findall(r"location [^{]*\{(.*?)\n    \}", file.read_text(), re.DOTALL):
            if "proxy_pass http" in block:
                assert re.search(r"include estuary-admin/(proxy|identity-headers)\.conf;", block)


def test_traefik_limits_bodies_where_it_need_not_stream() -> None:
    http = yaml.safe_load((DEPLOY / "traefik" / "estuary-admin.yml").read_text())["http"]

    assert http["middlewares"]["small-bodies"]["buffering"] == {"maxRequestBodyBytes": 262_144}
    without = [
        router["rule"]
        for router in http["routers"].values()
        if "small-bodies" not in router["middlewares"]
    ]
    assert without == ["Host(`keys.example.com`) && PathPrefix(`/exports/`)"]
    for router in http["routers"].values():
        assert set(router["middlewares"]) <= http["middlewares"].keys()
        assert router["service"] in http["services"]


@pytest.mark.parametrize("path", ["/keys/new/", "/exports/download/"])
@pytest.mark.parametrize("start", [nginx, caddy], ids=["nginx", "caddy"])
def test_large_bodies_never_reach_the_console(start: Front, path: str, tmp_path: Path) -> None:
    port = free_port()
    with Fragile("console") as console, start(tmp_path, port, console.port):
        connection = HTTPConnection("localhost", port, timeout=10)
        connection.request("POST", path, b"x" * 300_000)
        with connection.getresponse() as answer:
            status = answer.status
        connection.close()

    assert status in {413, 502}  # Caddy 2.6.2 answers 502, later ones 413


def test_traefik_takes_each_identity_header_out_on_each_router() -> None:
    http = yaml.safe_load((DEPLOY / "traefik" / "estuary-admin.yml").read_text())["http"]
    emptied = http["middlewares"]["no-identity-headers"]["headers"]["customRequestHeaders"]

    assert {name for name, value in emptied.items() if value == ""} >= set(IDENTITY)
    for router in http["routers"].values():
        assert {"no-identity-headers", "own-request-ids"} <= set(router["middlewares"])
