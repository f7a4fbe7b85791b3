"""The forms about keys: they validate and convert, without Estuary or the database."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from estuary_admin.invisible_characters import shows_something
from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from keys.upstream import KeySpec, Permission
from keys.upstream.durations import DurationError, parse_lifetime

LIFETIMES = [
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "365 days"),
    ("custom", "Custom"),
    ("never", "Never"),
]

PERMISSIONS = [(Permission.UPLOAD.value, "Upload only"), (Permission.ALL.value, "Everything")]

#: Categories that Estuary accepts, but that break lists, logs and terminals.
REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}


class KeyCreateForm(NoTokenFieldsMixin):
    label = forms.CharField(
        label="Label",
        max_length=200,
        error_messages={
            "required": "Give the key a label, so that you can tell later what it is for.",
            "max_length": "A label has 200 characters at the most; this one has %(show_value)s.",
        },
    )
    lifetime = forms.ChoiceField(
        label="Expires", choices=LIFETIMES, initial="30d", widget=forms.RadioSelect
    )
    custom_lifetime = forms.CharField(label="Custom lifetime", required=False, max_length=40)
    permission = forms.ChoiceField(
        label="Permission",
        choices=PERMISSIONS,
        initial=Permission.UPLOAD.value,
        widget=forms.RadioSelect,
    )
    nonce = forms.CharField(widget=forms.HiddenInput, required=False, max_length=200)

    def clean_label(self) -> str:
        label: str = self.cleaned_data["label"]
        if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in label):
            raise ValidationError(
                "A label holds no line breaks or control characters; take them out."
            )
        if not shows_something(label):
            raise ValidationError(
                "Nothing of this label can be seen. Write something that you will recognise."
            )
        return label

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("lifetime") == "custom":
            try:
                cleaned["custom_lifetime"] = parse_lifetime(cleaned.get("custom_lifetime", ""))
            except DurationError as error:
                self.add_error("custom_lifetime", str(error))
        return cleaned

    def to_spec(self) -> KeySpec:
        """The key that was asked for; call it on a valid form."""
        return KeySpec(
            label=self.cleaned_data["label"],
            lifetime=self._lifetime(),
            permission=Permission(self.cleaned_data["permission"]),
        )

    def _lifetime(self) -> timedelta | None:
        choice = self.cleaned_data["lifetime"]
        if choice == "never":
            return None
        if choice == "custom":
            lifetime: timedelta = self.cleaned_data["custom_lifetime"]
            return lifetime
        return parse_lifetime(choice)


class KeyRevokeForm(forms.Form):
    """For the member's own stored token, which needs a second, explicit yes."""

    confirm_own = forms.BooleanField(
        label="I understand that this disconnects the console from Estuary",
        error_messages={"required": "Tick this to revoke the key that this console itself uses."},
    )
