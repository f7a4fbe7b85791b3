"""The forms that connect and disconnect a stored token."""

from __future__ import annotations

import re

from django import forms
from django.core.exceptions import ValidationError

from estuary_admin.unicode_text import shows_something

QUOTES = "\"'`“”„\u2018\u2019«»"
_header_name = re.compile(r"\A(authorization:\s*)?(bearer\s+)?", re.IGNORECASE)
_is_token = re.compile(r"EST[0-9A-Za-z-]+ARY").fullmatch


class TokenConnectForm(forms.Form):
    token = forms.CharField(
        label="Token of your Estuary key",
        max_length=500,
        widget=forms.PasswordInput,  # which never renders a value back
        error_messages={"required": "Paste the token of one of your Estuary keys."},
    )

    own_key = forms.BooleanField(
        label="Make a key for this console alone, and use that instead",
        required=False,
        help_text="Labelled “Estuary Admin”, valid for 90 days, renewed by the console itself. You "
        "can then revoke the one that you paste.",
    )
    nonce = forms.CharField(widget=forms.HiddenInput, required=False, max_length=200)

    def clean_token(self) -> str:
        token = bare_token(self.cleaned_data["token"])
        if "ARYEST" in token:
            raise ValidationError("This holds more than one token: paste one of them.")
        if not _is_token(token):
            raise ValidationError(
                "This is not the token of a key: a token begins with EST and ends with ARY. "
                "Copy the whole token and paste it here."
            )
        return token


def bare_token(text: str) -> str:
    """A token without what people copy with it: blanks, quotes, `Bearer`, the header's name.

    Blanks, line breaks and characters that show nothing are taken out of its middle as well: no
    token has one, and mails and terminals break long words.
    """
    hidden = {char for char in set(text) if not (char.isspace() or shows_something(char))}
    text = text.translate(dict.fromkeys(map(ord, hidden)))
    text = text.strip().strip(QUOTES).strip()
    text = _header_name.sub("", text)
    return "".join(text.strip(QUOTES).split())


class TokenDisconnectForm(forms.Form):
    fingerprint = forms.CharField(required=False, max_length=43, widget=forms.HiddenInput)
    revoke = forms.BooleanField(label="Also revoke this key at Estuary", required=False)
