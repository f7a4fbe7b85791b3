"""allauth's forms for second factors, with our texts; failures are recorded, codes work once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
)
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.mfa_adapter import FactorAdapter
from estuary_admin.security.passkeys import CredentialField, is_from_own_page
from estuary_admin.sso.events import Event, tell

logger = logging.getLogger("estuary_admin.security")

PENDING_SECRET = "factor_pending"  # noqa: S105 - session key: sealed secret of an app being added
CODE_VALID_SECONDS = 120  # an app's code is accepted for 90 seconds, with MFA_TOTP_TOLERANCE
CODE_INPUT_ATTRIBUTES = {
    "autocomplete": "one-time-code",
    "inputmode": "numeric",
    "spellcheck": "false",
}


def record_failure(kind: str, member: Any, clean: Callable[[], Any]) -> Any:
    """Call `clean` and record each refusal, throttled attempts included."""
    try:
        return clean()
    except ValidationError:
        tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise
    except (AttributeError, KeyError, TypeError, ValueError):  # no browser sends such an answer
        tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise FactorAdapter().validation_error("incorrect_code") from None


class CodeForm(NoTokenFieldsMixin, AuthenticateForm):
    """A code from an app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code"
        self.fields["code"].help_text = "From your authenticator app, or a recovery code."
        self.fields["code"].widget = forms.TextInput(attrs=CODE_INPUT_ATTRIBUTES)

    def clean_code(self) -> str:
        code: str = record_failure("code", self.user, self._first_use)
        return code

    def _first_use(self) -> str:
        try:
            code: str = super().clean_code()
        except SealBroken:
            logger.exception("second_factor_unreadable", extra={"member": self.user.pk})
            raise ValidationError(
                "This console can no longer read your second factor. Ask its operator to remove "
                "it with `manage.py removefactors`."
            ) from None
        if self.authenticator.type == Authenticator.Type.TOTP and not cache.add(
            f"factor-code-used:{self.user.pk}:{code}", 1, CODE_VALID_SECONDS
        ):
            raise FactorAdapter().validation_error("incorrect_code")
        return code


class PasskeyForm(AuthenticateWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = CredentialField()

    def clean_credential(self) -> Authenticator:
        return record_failure("passkey", self.user, self._verified)

    def _verified(self) -> Authenticator:
        answer = AuthenticationResponse.from_dict(self.cleaned_data["credential"])
        if not is_from_own_page(answer.response.client_data):
            raise FactorAdapter().validation_error("incorrect_code")
        authenticator: Authenticator = super().clean_credential()
        if not authenticator.user.is_active:  # refused like a passkey that is not known
            raise FactorAdapter().validation_error("incorrect_code")
        return authenticator


class PasskeySignInForm(PasskeyForm, LoginWebAuthnForm):
    pass


class AppAddForm(NoTokenFieldsMixin, ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)  # allauth's keeps the secret unsealed
        self.secret = pending_secret(is_new=not self.is_bound)
        self.fields["code"].label = "Code"
        self.fields["code"].help_text = "The six digits that your app shows now."
        self.fields["code"].widget = forms.TextInput(attrs=CODE_INPUT_ATTRIBUTES)


def pending_secret(*, is_new: bool) -> str:
    """Return the secret of the app being added; the session keeps it until it is confirmed."""
    session, adapter = context.request.session, FactorAdapter()
    kept = "" if is_new else session.get(PENDING_SECRET, "")
    try:
        return adapter.decrypt(kept)
    except SealBroken:
        secret: str = generate_totp_secret()
        session[PENDING_SECRET] = adapter.encrypt(secret)
        return secret


class _NameMixin(NoTokenFieldsMixin):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.CharField(
            label="Name",
            max_length=60,
            help_text="Tells your passkeys apart, for example Laptop or Phone.",
        )


class PasskeyAddForm(_NameMixin, AddWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["passwordless"]  # all are
        self.fields["credential"] = CredentialField()

    def clean(self) -> dict[str, Any]:
        try:
            if credential := self.cleaned_data.get("credential"):
                answer = RegistrationResponse.from_dict(credential)
                if not is_from_own_page(answer.response.client_data):
                    raise FactorAdapter().validation_error("incorrect_code")
            cleaned: dict[str, Any] = super().clean() or {}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise FactorAdapter().validation_error("incorrect_code") from None
        return cleaned


class PasskeyRenameForm(_NameMixin, EditWebAuthnForm):
    pass
