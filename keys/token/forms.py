"""The forms that connect and disconnect a stored token."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError


class TokenConnectForm(forms.Form):
    token = forms.CharField(
        label="Estuary API key",
        max_length=500,
        widget=forms.PasswordInput,  # which never renders a value back
        error_messages={"required": "Paste an API key of your Estuary account."},
    )

    def clean_token(self) -> str:
        token = bare_token(self.cleaned_data["token"])
        if not (token.startswith("EST") and token.endswith("ARY") and token.isascii()) or any(
            not char.isalnum() and char != "-" for char in token
        ):
            raise ValidationError(
                "This does not look like an Estuary API key: one begins with EST and ends with "
                "ARY. Copy it again, whole, and paste it here."
            )
        return token


def bare_token(text: str) -> str:
    """A token without what people copy along: blanks, quotes, `Bearer`, a header's name."""
    text = text.strip().strip("\"'`").strip()
    for prefix in ("authorization:", "bearer "):
        if text.lower().startswith(prefix):
            text = text[len(prefix) :].strip()
    return text.strip("\"'`").strip()


class TokenDisconnectForm(forms.Form):
    fingerprint = forms.CharField(required=False, max_length=43, widget=forms.HiddenInput)
    revoke = forms.BooleanField(label="Also revoke this key at Estuary", required=False)
