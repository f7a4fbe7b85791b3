"""Forms with a password of this console, with our labels."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from django import forms

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin


class SignInForm(NoTokenFieldsMixin, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields.pop("remember", None)
        drop_placeholders(self)


class PasswordChangeForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = "Current password"
        self.fields["password1"].label = "New password"
        self.fields["password2"].label = "New password, again"
        drop_placeholders(self)


class PasswordForm(NoTokenFieldsMixin, ReauthenticateForm):
    """The member's password, again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        drop_placeholders(self)


def drop_placeholders(form: forms.Form) -> None:
    """Remove allauth's placeholders, which repeat the labels."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
