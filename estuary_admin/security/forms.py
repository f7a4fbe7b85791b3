"""allauth's forms for second factors, in our words; failures are told, no code is good twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from allauth.account.forms import ReauthenticateForm
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

from estuary_admin.secrets.no_token_fields import TokenShyMixin
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.adapter import FactorAdapter
from estuary_admin.sso.events import Event, tell

logger = logging.getLogger("estuary_admin.security")

PENDING_SECRET = "factor_pending"  # noqa: S105 - in the session, sealed: of an app being added
WINDOW = 120  # seconds in which a code of an app fits, with all tolerance
DIGITS = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}


def told(kind: str, member: Any, clean: Callable[[], Any]) -> Any:
    """Whatever is refused is recorded, throttled tries among it; what is no answer is refused."""
    try:
        return clean()
    except ValidationError:
        tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise
    except (AttributeError, KeyError, TypeError, ValueError):  # an answer that no browser gives
        tell(context.request, Event.FACTOR_FAILED, member, factor=kind)
        raise FactorAdapter().validation_error("incorrect_code") from None


class CodeForm(TokenShyMixin, AuthenticateForm):
    """A code of an app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code"
        self.fields["code"].help_text = "From your authenticator app, or a recovery code."
        self.fields["code"].widget = forms.TextInput(attrs=DIGITS)

    def clean_code(self) -> str:
        code: str = told("code", self.user, self._first_use)
        return code

    def _first_use(self) -> str:
        try:
            code: str = super().clean_code()
        except SealBroken:
            logger.exception("second_factor_unreadable", extra={"member": self.user.pk})
            raise ValidationError(
                "This console cannot read your second factor any more. Ask whoever runs it to "
                "take it off with `manage.py removefactors`."
            ) from None
        if self.authenticator.type == Authenticator.Type.TOTP and not cache.add(
            f"factor-code-used:{self.user.pk}:{code}", 1, WINDOW
        ):
            raise FactorAdapter().validation_error("incorrect_code")
        return code


class PasskeyForm(AuthenticateWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        return told("passkey", self.user, super().clean_credential)


class PasskeySignInForm(PasskeyForm, LoginWebAuthnForm):
    pass


class AppAddForm(TokenShyMixin, ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)  # allauth's keeps the secret in clear
        self.secret = pending_secret(anew=not self.is_bound)
        self.fields["code"].label = "Code"
        self.fields["code"].help_text = "The six digits that your app shows now."
        self.fields["code"].widget = forms.TextInput(attrs=DIGITS)


def pending_secret(*, anew: bool) -> str:
    """The secret of the app that is being added; until it is confirmed, the session has it."""
    session, adapter = context.request.session, FactorAdapter()
    kept = "" if anew else session.get(PENDING_SECRET, "")
    try:
        return adapter.decrypt(kept)
    except SealBroken:
        secret: str = generate_totp_secret()
        session[PENDING_SECRET] = adapter.encrypt(secret)
        return secret


class _NameMixin(TokenShyMixin):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.CharField(
            label="Name",
            max_length=60,
            help_text="So that you can tell your passkeys apart: Laptop, Phone, Key on the ring.",
        )


class PasskeyAddForm(_NameMixin, AddWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["passwordless"]  # each is

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean() or {}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise FactorAdapter().validation_error("incorrect_code") from None
        return cleaned


class PasskeyRenameForm(_NameMixin, EditWebAuthnForm):
    pass


class PasswordForm(TokenShyMixin, ReauthenticateForm):
    """The member's own password once more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        del self.fields["password"].widget.attrs["placeholder"]
