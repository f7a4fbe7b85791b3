"""An OpenID provider whose answers a test sets, valid or not."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

import jwt

from tests.estuary_admin.sso.signer import SigningKey
from tests.support.serving import Quiet, Serving

KEY = SigningKey("of-the-provider")


class ScriptedProvider(Serving):
    def __init__(self) -> None:
        self.forget()
        provider = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                name = "discovery" if name == "openid-configuration" else name
                self.answer(name, getattr(provider, name)())

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.redeemed = {name: all_[0] for name, all_ in parse_qs(sent).items()}
                self.answer("token", provider.token())

            def answer(self, name: str, document: Any) -> None:
                is_broken = name in provider.broken
                is_refused = name in provider.refused
                self.send_response(302 if is_broken else 401 if is_refused else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(provider.raw.get(name, json.dumps(document).encode()))

        super().__init__(Handler)
        self.url = f"http://127.0.0.1:{self.port}"

    def forget(self) -> None:
        self.broken: set[str] = set()
        self.refused: set[str] = set()
        self.raw: dict[str, bytes] = {}
        self.described: dict[str, Any] = {}
        self.redeemed: dict[str, str] = {}
        self.said: dict[str, Any] = {}

    def answers(self, **claims: Any) -> None:
        """Set claims of the next ID token, and the options key, alg_none, no_id_token, userinfo."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": "console",
            "sub": "sub-alice",
            "preferred_username": "Alice",
            "iat": now,
            "exp": now + 60,
        }
        self.said = good | claims

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/end",
            **self.described,
        }
        return {name: value for name, value in document.items() if value is not None}

    def jwks(self) -> dict[str, Any]:
        return {"keys": [KEY.public]}

    def elsewhere(self) -> dict[str, Any]:
        """The target of redirects, which must not be followed: its answer would be valid."""
        return {**self.discovery(), **self.token(), **self.userinfo(), **self.jwks()}

    def token(self) -> dict[str, Any]:
        claims = {name: value for name, value in self.said.items() if value is not None}
        key = claims.pop("key", KEY)
        is_unsigned, is_missing = claims.pop("alg_none", False), claims.pop("no_id_token", False)
        claims.pop("userinfo", None)
        answer = {"access_token": "access", "token_type": "Bearer"}
        if is_missing:
            return answer
        signed = jwt.encode(claims, "", "none") if is_unsigned else key.sign(claims)
        return {**answer, "id_token": signed}

    def userinfo(self) -> Any:
        return self.said.get("userinfo", {"sub": self.said.get("sub")})
