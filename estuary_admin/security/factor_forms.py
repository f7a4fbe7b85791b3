"""allauth's forms for second factors, with our texts; failures are recorded, codes work once."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
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
from django.core.exceptions import ValidationError
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.factors import use_code
from estuary_admin.security.mfa_adapter import FactorAdapter
from estuary_admin.security.passkeys import CredentialField, is_from_own_page
from estuary_admin.security.throttles import record_throttled, require_storage
from estuary_admin.sso.events import Event, tell
from estuary_admin.unicode_text import shows_something

logger = logging.getLogger("estuary_admin.security")

PENDING_SECRET = "factor_pending"  # noqa: S105 - session key: sealed secret of an app being added
MAX_CODE_LENGTH = 100
#: allauth's codes for attempts that it refuses without checking them.
THROTTLED_CODES = {"too_many_login_attempts", "rate_limited"}
CODE_INPUT_ATTRIBUTES = {
    "autocomplete": "one-time-code",
    "inputmode": "numeric",
    "spellcheck": "false",
}


def code_field(help_text: str) -> forms.CharField:
    widget = forms.TextInput(attrs=CODE_INPUT_ATTRIBUTES)
    return forms.CharField(
        label="Code", max_length=MAX_CODE_LENGTH, widget=widget, help_text=help_text
    )


def one_spelling(code: str) -> str:
    """Remove what people and apps put between digits, in any script and of any width."""
    return "".join(char for char in unicodedata.normalize("NFKC", code) if char.isalnum()).lower()


def record_failure(kind: str, member: Any, clean: Callable[[], Any]) -> Any:
    """Call `clean` and record each refusal, but throttled attempts once a minute."""
    try:
        return clean()
    except ValidationError as error:
        if error.code in THROTTLED_CODES:
            require_storage()
            record_throttled(context.request, kind, member)
        else:
            tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise
    except (AttributeError, KeyError, TypeError, ValueError):  # no browser sends such an answer
        tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise FactorAdapter().validation_error("incorrect_code") from None


class CodeForm(NoTokenFieldsMixin, AuthenticateForm):
    """A code from an app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("From your authenticator app, or a recovery code.")

    def clean_code(self) -> str:
        code: str = record_failure("code", self.user, self._accepted)
        return code

    def _accepted(self) -> str:
        forget_failures = check_rate_limit(self.user)
        code = one_spelling(self.cleaned_data["code"])
        try:
            self.authenticator = use_code(self.user, code)
        except SealBroken:
            logger.exception("second_factor_unreadable", extra={"member": self.user.pk})
            raise ValidationError(
                "This console can no longer read your second factor. Ask its operator to remove "
                "it with `manage.py members reset`."
            ) from None
        if self.authenticator is None:
            raise FactorAdapter().validation_error("incorrect_code")
        forget_failures()
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
        self.fields["code"] = code_field("The six digits that your app shows now.")

    def clean_code(self) -> str:
        self.cleaned_data["code"] = one_spelling(self.cleaned_data["code"])
        code: str = record_failure("new app", self.user, super().clean_code)
        return code


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

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not shows_something(name):
            raise ValidationError("This name has no visible character.")
        return name


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
