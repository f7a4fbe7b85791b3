"""A passkey in software: it answers registrations and sign-ins as a browser would send them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from tests.estuary_admin.security.conftest import PAGE

ORIGIN = "http://localhost:8000"  # PUBLIC_URL in the tests
PASSKEY_SIGN_IN = "/accounts/login/passkey/"
JSON = {"Accept": "application/json"}
PRESENT_AND_VERIFIED = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV


class SoftwarePasskey:
    def __init__(self, rp_id: str = "localhost", user_handle: str = "") -> None:
        self.rp_id_hash = hashlib.sha256(rp_id.encode()).digest()
        self.credential_id = hashlib.sha256(user_handle.encode()).digest()
        self.user_handle = user_handle
        self._key = ec.generate_private_key(ec.SECP256R1())

    def register(self, options: dict[str, Any], origin: str = ORIGIN, **more: Any) -> str:
        self.user_handle = options["user"]["id"]
        public_key = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(b"\0" * 16, self.credential_id, public_key)
        data = AuthenticatorData.create(
            self.rp_id_hash, PRESENT_AND_VERIFIED | AuthenticatorData.FLAG.AT, 1, bytes(credential)
        )
        attestation = AttestationObject.create("none", data, {})
        client_data = self._client_data("webauthn.create", options, origin, more)
        return self._answer(
            {
                "clientDataJSON": websafe_encode(client_data),
                "attestationObject": websafe_encode(attestation),
            }
        )

    def sign_in(self, options: dict[str, Any], origin: str = ORIGIN, **more: Any) -> str:
        data = AuthenticatorData.create(self.rp_id_hash, PRESENT_AND_VERIFIED, 2)
        client_data = self._client_data("webauthn.get", options, origin, more)
        signed = bytes(data) + hashlib.sha256(client_data).digest()
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": websafe_encode(client_data),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
                "userHandle": self.user_handle,
            }
        )

    @staticmethod
    def _client_data(kind: str, options: dict[str, Any], origin: str, more: Any) -> bytes:
        made = {"type": kind, "challenge": options["challenge"], "origin": origin, **more}
        return bytes(CollectedClientData(json.dumps(made).encode()))

    def _answer(self, response: dict[str, str]) -> str:
        name = websafe_encode(self.credential_id)
        answer = {"id": name, "rawId": name, "type": "public-key", "response": response}
        return json.dumps(answer | {"clientExtensionResults": {}})


def options_on(page: Any) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', page.content.decode())
    assert found
    options: dict[str, Any] = json.loads(found[1].replace("&quot;", '"'))
    return dict(options["publicKey"])


def add_passkey(client: Client, origin: str = ORIGIN, name: str = "Laptop") -> tuple[Any, Any]:
    """The answer to the form that adds a passkey, and the passkey."""
    path, passkey = f"{PAGE}passkeys/add/", SoftwarePasskey(user_handle=name)
    credential = passkey.register(options_on(client.get(path)), origin)
    return client.post(path, {"name": name, "credential": credential}), passkey


def options_for_sign_in(client: Client) -> dict[str, Any]:
    options = json.loads(client.get(PASSKEY_SIGN_IN, headers=JSON).json()["options"])
    return dict(options["publicKey"])


def sign_in_with(
    client: Client, passkey: SoftwarePasskey, origin: str = ORIGIN, **more: Any
) -> Any:
    credential = passkey.sign_in(options_for_sign_in(client), origin, **more)
    return client.post(PASSKEY_SIGN_IN, {"credential": credential})
