"""allauth's adapter for second factors: seals secrets, uses our address, texts and names."""

from __future__ import annotations

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode

from estuary_admin.security.factors import (
    factors_of,
    must_have_factor,
    seal_secret,
    unseal_secret,
)
from estuary_admin.security.passkeys import relying_party_id

LAST_FACTOR = (
    "This console requires a second factor, and this is your only one: add another before you "
    "remove it."
)


class FactorAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not valid. A code from an app works once, for half a "
        "minute; a recovery code works once.",
        "cannot_delete_authenticator": LAST_FACTOR,
        "cannot_generate_recovery_codes": "Recovery codes replace an app or a passkey when you "
        "do not have it with you. Add an app or a passkey first.",
    }

    def encrypt(self, text: str) -> str:
        return seal_secret(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal_secret(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Refuse to remove the last factor when REQUIRE_MFA applies to this session."""
        is_last = factors_of(authenticator.user).count <= 1
        return not (is_last and must_have_factor(context.request))

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def build_totp_svg(self, url: str) -> str:
        """Return inline SVG: the content policy does not load images from `data:` addresses."""
        code = QRCode(image_factory=SvgPathImage, border=2)
        code.add_data(url)
        return str(code.make_image().to_string(encoding="unicode"))

    def _get_site_name(self) -> str:
        return f"Estuary Admin ({settings.PUBLIC_URL.hostname})"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Bind passkeys to PUBLIC_URL, whatever host the request names."""
        return {"id": relying_party_id(), "name": self._get_site_name()}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, str | bytes]:
        entity: dict[str, str | bytes] = super().get_public_key_credential_user_entity(user)
        return entity | {"name": user.get_username(), "display_name": user.get_username()}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}"
