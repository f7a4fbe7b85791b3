"""The forms about keys: they validate and convert, without Estuary or the database."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.unicode_text import shows_something
from keys.policy.rules import (
    Field,
    Policy,
    lifetime_sentence,
    permission_sentence,
    problems_of,
    rules_in_words,
)
from keys.upstream import KeySpec, Permission
from keys.upstream.durations import SHORTEST, DurationError, parse_lifetime

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

EVERYTHING_ALLOWED = Policy()

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
    purpose = forms.CharField(label="Purpose", required=False, max_length=500)
    nonce = forms.CharField(widget=forms.HiddenInput, required=False, max_length=200)

    def __init__(
        self,
        *args: Any,
        policy: Policy = EVERYTHING_ALLOWED,
        is_admin: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.policy, self.is_admin = policy, is_admin
        self.rules = rules_in_words(policy, is_admin=is_admin)
        self._offer("lifetime", self._lifetimes(), "30d")
        if sentence := lifetime_sentence(policy, is_admin=is_admin):
            self.fields["lifetime"].error_messages["invalid_choice"] = sentence
        permissions = [pair for pair in PERMISSIONS if pair[0] in policy.permissions]
        self._offer("permission", permissions, policy.default_permission.value)
        if sentence := permission_sentence(policy):
            self.fields["permission"].error_messages["invalid_choice"] = sentence

    def _lifetimes(self) -> list[tuple[str, str]]:
        """The lifetimes that the policy allows; a custom one is checked when it is submitted."""
        return [
            (value, words)
            for value, words in LIFETIMES
            if value == "custom"
            or self.policy.allows_lifetime(_preset(value), is_admin=self.is_admin)
        ]

    def _offer(self, name: str, choices: list[tuple[str, str]], wanted: str) -> None:
        """Show these choices; first chosen is the wanted one, else the last before it."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices
        values = [value for value, _ in choices]
        shorter = [value for value in ("7d", "1d", "custom") if value in values]
        field.initial = wanted if wanted in values else (shorter or values)[0]

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

    def clean_purpose(self) -> str:
        purpose: str = self.cleaned_data["purpose"]
        if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in purpose):
            raise ValidationError("A purpose holds no line breaks or control characters.")
        if purpose and not shows_something(purpose):
            raise ValidationError("Nothing of this purpose can be seen: write what the key is for.")
        return purpose

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("lifetime") == "custom":
            try:
                cleaned["custom_lifetime"] = parse_lifetime(cleaned.get("custom_lifetime", ""))
            except DurationError as error:
                self.add_error("custom_lifetime", str(error))
        self._apply_policy(cleaned)
        return cleaned

    def _apply_policy(self, cleaned: dict[str, Any]) -> None:
        """Add what the policy says, beside the fields; those in error already say something."""
        is_known = not {"lifetime", "custom_lifetime"} & self.errors.keys()
        spec = KeySpec(
            label=cleaned.get("label", self.policy.label_example),
            lifetime=self._lifetime() if is_known else SHORTEST,
            permission=Permission(cleaned.get("permission", self.policy.default_permission)),
        )
        purpose = cleaned.get("purpose", "")
        for problem in problems_of(self.policy, spec, purpose, is_admin=self.is_admin):
            is_custom = problem.field is Field.LIFETIME and cleaned.get("lifetime") == "custom"
            name = "custom_lifetime" if is_custom else problem.field.value
            if name not in self.errors:
                self.add_error(name or None, problem.sentence)

    def to_spec(self) -> KeySpec:
        """The key to create; call this on a valid form."""
        return KeySpec(
            label=self.cleaned_data["label"],
            lifetime=self._lifetime(),
            permission=Permission(self.cleaned_data["permission"]),
        )

    def _lifetime(self) -> timedelta | None:
        choice = self.cleaned_data["lifetime"]
        if choice == "custom":
            lifetime: timedelta = self.cleaned_data["custom_lifetime"]
            return lifetime
        return _preset(choice)


def _preset(choice: str) -> timedelta | None:
    return None if choice == "never" else parse_lifetime(choice)


class KeyRevokeForm(forms.Form):
    """Confirms that the member's own stored token is to be revoked."""

    confirm_own = forms.BooleanField(
        label="I understand that this disconnects the console from Estuary",
        error_messages={"required": "Tick this to revoke the key that this console itself uses."},
    )
