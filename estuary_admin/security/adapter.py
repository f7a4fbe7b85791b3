"""How allauth's second factors behave here: sealed at rest, and named after this console."""

from __future__ import annotations

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode

from estuary_admin.secrets.sealing import seal_for, unseal_for

#: Not bound to the member: allauth does not say whose secret it is. Who can move sealed secrets
#: between rows can take the rows away as well.
PURPOSE = "second-factor"


LAST_ONE = (
    "This console asks everybody for a second factor, and this is your only one: add another "
    "before you remove it."
)


class FactorAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That did not fit. Codes of an app are good for half a minute and for "
        "one use; recovery codes for one use.",
        "cannot_delete_authenticator": LAST_ONE,
        "cannot_generate_recovery_codes": "Recovery codes stand in for an app or a passkey: add "
        "one of those first.",
    }

    def encrypt(self, text: str) -> str:
        return seal_for(PURPOSE, text)

    def decrypt(self, encrypted_text: str) -> str:
        """Raises SealBroken when no sealing key opens it."""
        return unseal_for(PURPOSE, encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Not the last one where there must be one."""
        from estuary_admin.security.factors import factors_of, must_have_factor

        is_last = factors_of(authenticator.user).count <= 1
        return not (is_last and must_have_factor(context.request))

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def build_totp_svg(self, url: str) -> str:
        """For the page itself: its policy loads no image from an address with the data in it."""
        code = QRCode(image_factory=SvgPathImage, border=2)
        code.add_data(url)
        return str(code.make_image().to_string(encoding="unicode"))

    def _get_site_name(self) -> str:
        return f"Estuary Admin ({settings.PUBLIC_URL.hostname})"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """By our own address, whatever the request says: passkeys are bound to it."""
        return {"id": str(settings.PUBLIC_URL.hostname), "name": self._get_site_name()}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, str | bytes]:
        entity: dict[str, str | bytes] = super().get_public_key_credential_user_entity(user)
        return entity | {"name": user.get_username(), "display_name": user.get_username()}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}"
