"""Forms of what admins do for members."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin

#: A request for a rotation ends with its last minute.
END_OF_DAY = time(23, 59)


class ReasonForm(NoTokenFieldsMixin):
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        help_text="The member reads it, and it stays in the audit.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class MemberKeyRevokeForm(ReasonForm):
    """The reason; it is an incident note too when the token was found somewhere."""

    incident = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, is_incident: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_incident = is_incident
        if not is_incident:
            del self.fields["incident"]
            return
        self.fields["incident"].initial = True
        self.fields["reason"].label = "Incident note"
        self.fields["reason"].help_text = (
            "Where the token leaked, and what you know so far. The member reads it; it goes to the "
            "audit and to the note of this key."
        )


class InviteForm(NoTokenFieldsMixin):
    """The view asks `name_problem` whether the name can be given."""

    username = forms.CharField(
        label="Username",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    email = forms.EmailField(
        label="E-mail",
        required=False,
        help_text="For reminders. The invitation is not sent there.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    is_admin = forms.BooleanField(label="Make the member an admin", required=False)

    def clean_username(self) -> str:
        return _normal(self.cleaned_data["username"])


class AskRotationForm(ReasonForm):
    """A reason and the last day; `latest` is the key's own end."""

    by = forms.DateField(
        label="Rotate by",
        input_formats=["%Y-%m-%d"],
        help_text="The last day, in your time zone.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the date as year, month and day: 2027-01-31."},
    )
    revokes = forms.BooleanField(
        label="Revoke the key if it is not rotated by then",
        required=False,
        help_text="Without this, the key is listed as a finding.",
    )

    field_order = ["by", "reason", "revokes"]

    def __init__(self, *args: Any, latest: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._latest = latest

    def clean_by(self) -> datetime:
        """The last moment of the day."""
        day: date = self.cleaned_data["by"]
        now = timezone.localtime()
        if day < now.date():
            raise forms.ValidationError("This day is over. Choose today or a later day.")
        if day > timezone.localtime(self._latest).date():
            raise forms.ValidationError("The key ends before this day. Choose an earlier day.")
        deadline = datetime.combine(day, END_OF_DAY, tzinfo=now.tzinfo)
        if deadline > self._latest:
            raise forms.ValidationError("The key ends during this day. Choose an earlier day.")
        if deadline <= now:
            raise forms.ValidationError("This day is almost over. Choose a later day.")
        return deadline


class OffBoardForm(ReasonForm):
    """`keep` takes token hashes of `listed`; kept keys need a successor among `members`."""

    keep = forms.MultipleChoiceField(
        label="Keep", required=False, widget=forms.CheckboxSelectMultiple
    )
    successor = forms.CharField(
        label="Hand kept keys over to",
        required=False,
        max_length=150,
        help_text="The name of another member. It becomes the contact in each key's note.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    confirm = forms.CharField(
        label="The member's name",
        max_length=150,
        help_text="Write it to confirm.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self, *args: Any, name: str, listed: list[str], is_dry: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._name = name
        self.fields["keep"].choices = [(one, one) for one in listed]  # type: ignore[attr-defined]
        for field in ("confirm", "reason") if is_dry else ():
            self.fields[field].required = False

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if self.cleaned_data.get("keep") and not self.cleaned_data.get("successor"):
            self.add_error("successor", "Name the member who takes the kept keys over.")
        confirm = self.cleaned_data.get("confirm")
        if confirm and _normal(confirm) != _normal(self._name):
            self.add_error("confirm", "This is not the name of the member.")
        return found


def _normal(name: str) -> str:
    """The form that Django gives user names; keyboards type either of two forms of an é."""
    return unicodedata.normalize("NFKC", name)
