"""Signs assertions with keys made here, and serves those keys at an address that can fail."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.serving import Quiet, Serving

ISSUER = "https://team.cloudflareaccess.com"
AUDIENCE = "this-application"


class KeyServer(Serving):
    """Answers with `status` and `body`, once `may_answer` is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.body = b""
        self.paths: list[str] = []
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                outer.paths.append(self.path)
                if not outer.may_answer.is_set():
                    outer.is_asked.set()
                    outer.may_answer.wait(60)
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(outer.body)

        super().__init__(Handler)
        self.url = f"http://127.0.0.1:{self.port}/jwks"

    def lists(self, *keys: SigningKey) -> None:
        self.status = 200
        self.body = json.dumps({"keys": [key.public for key in keys]}).encode()


class SigningKey:
    def __init__(self, kid: str, algorithm: str = "RS256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private: Any
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.public = {**public, "kid": kid, "use": "sig", "alg": algorithm}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, self.algorithm, headers={"kid": self.kid, **header})


def claims(**changed: Any) -> dict[str, Any]:
    """Valid claims about Alice for one minute; None removes a claim."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": "7335d417-alice",
        "email": "alice@example.com",
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}
