"""Forms with a password of this console, with our labels."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password

from estuary_admin.members import namesakes_of
from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.sso.events import Event, tell


class SignInForm(NoTokenFieldsMixin, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields.pop("remember", None)
        drop_placeholders(self)
        focus_first(self)

    def clean_login(self) -> str:
        """The name of the member who is meant: keyboards type an Ä in several ways and cases."""
        typed: str = super().clean_login()
        found = namesakes_of(typed)
        return found[0].username if len(found) == 1 else typed


class PasswordChangeForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = "Current password"
        self.fields["password1"].label = "New password"
        self.fields["password1"].help_text = password_rules()
        self.fields["password2"].label = "New password, again"
        drop_placeholders(self)

    def clean_oldpassword(self) -> str:
        try:
            password: str = super().clean_oldpassword()
        except forms.ValidationError:
            tell(context.request, Event.PASSWORD_CHANGE_FAILED)
            raise
        return password


class LinkPasswordForm(NoTokenFieldsMixin):
    """The first password of a member, or a new one, without the old one: a link was the proof."""

    password1 = forms.CharField(
        label="New password",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="New password, again",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, member: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._member = member
        self.fields["password1"].help_text = password_rules()
        focus_first(self)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password1")
        if password and "password2" in cleaned and password != cleaned["password2"]:
            self.add_error("password2", "The two passwords differ.")
        elif password:
            try:
                validate_password(password, self._member)
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return cleaned


class PasswordForm(NoTokenFieldsMixin, ReauthenticateForm):
    """The member's password, again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        drop_placeholders(self)


def password_rules() -> str:
    """One sentence instead of those of four validators."""
    return (
        f"At least {settings.MIN_PASSWORD_LENGTH} characters: no common password, "
        "not only digits, and not like your name."
    )


def focus_first(form: forms.Form) -> None:
    """Focus the first field; after an error, its notice has the focus."""
    if not form.is_bound:
        next(iter(form.fields.values())).widget.attrs["autofocus"] = True


def drop_placeholders(form: forms.Form) -> None:
    """Remove allauth's placeholders, which repeat the labels."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
