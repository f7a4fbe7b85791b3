"""The form of a key's note."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from estuary_admin.text_fields import LinesField
from estuary_admin.unicode_text import shows_something
from keys.policy.rules import Policy

#: Categories that break lists, logs and terminals; the free text may have line breaks.
REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
MAX_NOTE_LENGTH = 2000


class KeyNoteForm(NoTokenFieldsMixin):
    display_name = forms.CharField(label="Display name", required=False, max_length=100)
    purpose = forms.CharField(
        label="Purpose", required=False, max_length=500, help_text="What the key is for."
    )
    system = forms.CharField(
        label="System", required=False, max_length=200, help_text="Where it is used."
    )
    contact = forms.CharField(
        label="Contact", required=False, max_length=200, help_text="Whom to ask about it."
    )
    note = LinesField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._policy = policy
        # A hand-over adds to a note: what is there can be saved again, with changes elsewhere.
        self._limit_note(max(MAX_NOTE_LENGTH, len(self.initial.get("note", ""))))
        if not self.is_bound:  # after an error, its notice has the focus
            self.fields["display_name"].widget.attrs["autofocus"] = True

    def _limit_note(self, longest: int) -> None:
        field = self.fields["note"]
        field.validators.append(MaxLengthValidator(longest))
        field.widget.attrs["maxlength"] = str(longest)
        # Twice: browsers send a line break as two characters.
        self.max_searched_characters = max(self.max_searched_characters, 2 * longest)

    def clean_purpose(self) -> str:
        purpose = str(self.cleaned_data["purpose"])
        if self._policy.is_purpose_required and not purpose:
            raise ValidationError("Say what the key is for: a purpose is required here.")
        return purpose

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, text in list(cleaned.items()):
            line = text.replace("\n", " ").replace("\t", " ") if name == "note" else text
            if any(unicodedata.category(one) in REFUSED_CATEGORIES for one in line):
                self.add_error(name, "Take out line breaks and control characters.")
            elif text and not shows_something(text):
                self.add_error(
                    name, "This has no visible character: leave it empty, or write a word."
                )
        return cleaned
