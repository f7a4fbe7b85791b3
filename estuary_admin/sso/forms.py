"""The local sign-in form."""

from __future__ import annotations

from allauth.account.forms import LoginForm


class SignInForm(LoginForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields.pop("remember", None)
