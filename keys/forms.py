"""From what people type to typed values; no form here knows Estuary or the database."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from estuary_admin.secrets.no_token_fields import TokenShyMixin
from keys.account.choices import THEMES, time_zones
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
#: Estuary accepts any; these break lists, logs and terminals.
UNWANTED = {"Cc", "Cs", "Zl", "Zp"}


class KeyCreateForm(TokenShyMixin):
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
        if any(unicodedata.category(char) in UNWANTED for char in label):
            raise ValidationError(
                "A label holds no line breaks or control characters; take them out."
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


class KeyRevokeForm(forms.Form):
    """For the member's own stored token, which needs a second, explicit yes."""

    confirm_own = forms.BooleanField(
        label="I understand that this disconnects the console from Estuary",
        error_messages={"required": "Tick this to revoke the key that this console itself uses."},
    )


class ExportForm(forms.Form):
    """Whose data: the member's own when nobody is named."""

    member = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class PreferencesForm(forms.Form):
    theme = forms.ChoiceField(label="Theme", choices=THEMES, widget=forms.RadioSelect)
    time_zone = forms.ChoiceField(label="Time zone", required=False)
    shortcuts = forms.BooleanField(
        label="Keyboard shortcuts",
        required=False,
        help_text="Single keys, such as / to search. Press ? for the list of them.",
    )

    def __init__(self, *args: Any, detected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zone for zone in time_zones() if "/" in zone or zone == "UTC")
        first = f"Detected: {detected}" if detected else "As my browser says"
        field = self.fields["time_zone"]
        field.choices = [("", first), *((zone, zone) for zone in zones)]  # type: ignore[attr-defined]
