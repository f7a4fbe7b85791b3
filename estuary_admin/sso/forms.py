"""The local sign-in form."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm

from estuary_admin.token_shy import TokenShyMixin


class SignInForm(TokenShyMixin, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields.pop("remember", None)
