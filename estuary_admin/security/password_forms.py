"""Forms with a password of this console, with our labels."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from allauth.core import context
from django import forms
from django.conf import settings

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.sso.events import Event, tell


class SignInForm(NoTokenFieldsMixin, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields.pop("remember", None)
        drop_placeholders(self)
        focus_first(self)


class PasswordChangeForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = "Current password"
        self.fields["password1"].label = "New password"
        # Instead of the sentences of four validators.
        self.fields["password1"].help_text = (
            f"At least {settings.MIN_PASSWORD_LENGTH} characters: no common password, "
            "not only digits, and not like your name."
        )
        self.fields["password2"].label = "New password, again"
        drop_placeholders(self)

    def clean_oldpassword(self) -> str:
        try:
            password: str = super().clean_oldpassword()
        except forms.ValidationError:
            tell(context.request, Event.PASSWORD_CHANGE_FAILED)
            raise
        return password


class PasswordForm(NoTokenFieldsMixin, ReauthenticateForm):
    """The member's password, again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        drop_placeholders(self)


def focus_first(form: forms.Form) -> None:
    """Focus the first field; after an error, its notice has the focus."""
    if not form.is_bound:
        next(iter(form.fields.values())).widget.attrs["autofocus"] = True


def drop_placeholders(form: forms.Form) -> None:
    """Remove allauth's placeholders, which repeat the labels."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
