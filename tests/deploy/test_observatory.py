"""The HTTP Observatory's own scan of the console behind the shipped nginx, over TLS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from keys.sandbox import Sandbox
from tests.deploy.shipped import nginx_with_tls
from tests.support.console import ROOT, Console
from tests.support.processes import free_port

SCANNER = ROOT / "var/observatory/node_modules/@mdn/mdn-http-observatory/src/scan.js"


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    node = shutil.which("node")
    if not (node and SCANNER.exists()):
        pytest.skip("no HTTP Observatory: `make observatory` brings it, with Node.js 20 and npm")
    folder, port = tmp_path_factory.mktemp("observatory"), free_port()
    certificate, url = folder / "keys.pem", f"https://localhost:{port}"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*make, "-keyout", certificate, "-out", certificate], check=True, capture_output=True
    )
    settings = {"PUBLIC_URL": url, "TRUSTED_PROXIES": "127.0.0.1", "SANDBOX": "false"}
    with (
        Sandbox(rate_limit=None) as estuary,
        Console(folder, estuary, [], environment=settings) as console,
        nginx_with_tls(folder, port, console.port, certificate),
    ):
        done = subprocess.run(
            [node, SCANNER, f"localhost:{port}"],
            env={"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(certificate)},
            capture_output=True,
            check=True,
            timeout=60,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_gives_the_best_grade(scan: dict[str, Any]) -> None:
    assert (scan["scan"]["grade"], scan["scan"]["testsFailed"]) == ("A+", 0)
    assert scan["scan"]["score"] >= 140


def test_it_saw_the_page_that_people_see(scan: dict[str, Any]) -> None:
    assert scan["scan"]["statusCode"] == 200
    assert scan["tests"]["redirection"]["destination"].endswith("/accounts/login/?next=/")
    assert "__Host-csrftoken" in scan["tests"]["cookies"]["data"]


def test_the_score_stands_in_the_documentation(scan: dict[str, Any]) -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    [score] = re.findall(r"scores \*\*(\d+)\*\* \(A\+\)", page)

    assert int(score) == scan["scan"]["score"]
