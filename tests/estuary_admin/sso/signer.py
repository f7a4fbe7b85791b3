"""A proxy that signs: keys made here, listed at an address that can fail and lie."""

from __future__ import annotations

import json
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
    """`status` and `body` are what it answers; `asked` counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.body = b""
        self.paths: list[str] = []
        outer = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                outer.paths.append(self.path)
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
    """Those of Alice, good for a minute; None takes one out."""
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
