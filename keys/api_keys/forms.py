"""The forms about keys: they validate and convert, without Estuary or the database."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.no_token_fields import MAX_LISTED_CHARACTERS, NoTokenFieldsMixin
from estuary_admin.text_fields import LinesField
from estuary_admin.unicode_text import shows_something
from keys.api_keys.pasted import MAX_TEXT_LENGTH, PastedKeys, keys_in
from keys.policy.rules import (
    MAX_LABEL_LENGTH,
    Field,
    Policy,
    label_sentence,
    lifetime_sentence,
    permission_sentence,
    problems_of,
    rules_in_words,
)
from keys.upstream import KeySpec, Permission
from keys.upstream.durations import LONGEST, SHORTEST, DurationError, describe, parse_lifetime

LIFETIMES = [
    ("1h", "1 hour"),
    ("8h", "8 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "365 days"),
    ("custom", "Custom"),
    ("date", "On a date"),
    ("never", "No expiry"),
]
#: Choices that another field completes, with the name of that field.
COMPLETED_BY = {"custom": "custom_lifetime", "date": "ends_on"}
#: A key that ends on a day works until the last minute of it: the second one where clocks are set
#: back at midnight.
END_OF_DAY = time(23, 59, fold=1)

#: When the old key ends, counted from the rotation.
OVERLAPS = [
    ("now", "Now"),
    ("1h", "In 1 hour"),
    ("24h", "In 24 hours"),
    ("7d", "In 7 days"),
    ("custom", "Custom"),
]

PERMISSIONS = [(Permission.UPLOAD.value, "Upload only"), (Permission.ALL.value, "Full access")]

MAX_INCIDENT_LENGTH = 500
MAX_KEYS_AT_ONCE = 50
REMINDER_DAYS = [("30", "30 days"), ("14", "14 days"), ("7", "7 days"), ("1", "1 day")]

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
    custom_lifetime = forms.CharField(label="Custom lifetime", required=False, max_length=64)
    ends_on = forms.DateField(
        label="Last day",
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the date as year, month and day: 2027-01-31."},
    )
    permission = forms.ChoiceField(
        label="Permission",
        choices=PERMISSIONS,
        initial=Permission.UPLOAD.value,
        widget=forms.RadioSelect,
    )
    purpose = forms.CharField(label="Purpose", required=False, max_length=500)
    nonce = forms.CharField(widget=forms.HiddenInput, required=False, max_length=200)

    first_field = "label"

    def __init__(
        self,
        *args: Any,
        policy: Policy = EVERYTHING_ALLOWED,
        is_admin: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:  # after an error, its notice has the focus
            self.fields[self.first_field].widget.attrs["autofocus"] = True
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
        """The lifetimes that the policy allows; what is typed is checked when it is submitted."""
        return [
            (value, words)
            for value, words in LIFETIMES
            if value in COMPLETED_BY
            or self.policy.allows_lifetime(_preset(value), is_admin=self.is_admin)
        ]

    def _offer(self, name: str, choices: list[tuple[str, str]], wanted: str) -> None:
        """Show these choices; first chosen is the wanted one, else the last before it."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices
        values = [value for value, _ in choices]
        shorter = [value for value in ("7d", "1d", "8h", "1h", "custom") if value in values]
        field.initial = wanted if wanted in values else (shorter or values)[0]

    def clean_label(self) -> str:
        label: str = self.cleaned_data["label"]
        if problem := problem_of_label(label):
            raise ValidationError(problem)
        return label

    def clean_purpose(self) -> str:
        purpose: str = self.cleaned_data["purpose"]
        if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in purpose):
            raise ValidationError(
                "A purpose cannot hold line breaks or control characters: remove them."
            )
        if purpose and not shows_something(purpose):
            raise ValidationError(
                "This purpose has no visible character: write what the key is for."
            )
        return purpose

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        completed_by = COMPLETED_BY.get(cleaned.get("lifetime", ""), "")
        try:
            if completed_by == "custom_lifetime":
                cleaned["custom_lifetime"] = parse_lifetime(cleaned.get("custom_lifetime", ""))
            elif completed_by and completed_by not in self.errors:
                cleaned["ends_on"] = time_until_end_of(cleaned.get("ends_on"))
        except DurationError as error:
            self.add_error(completed_by, str(error))
        for name in {*COMPLETED_BY.values()} - {completed_by}:
            self.errors.pop(name, None)  # left over from a choice that was changed
        self._apply_policy(cleaned)
        return cleaned

    def _apply_policy(self, cleaned: dict[str, Any]) -> None:
        """Add what the policy says, beside the fields; those in error already say something."""
        is_known = not {"lifetime", *COMPLETED_BY.values()} & self.errors.keys()
        spec = KeySpec(
            label=cleaned.get("label", self.policy.label_example),
            lifetime=self._lifetime() if is_known else SHORTEST,
            permission=Permission(cleaned.get("permission", self.policy.default_permission)),
        )
        purpose = cleaned.get("purpose", "")
        for problem in problems_of(self.policy, spec, purpose, is_admin=self.is_admin):
            name = problem.field.value
            if problem.field is Field.LIFETIME:
                name = COMPLETED_BY.get(cleaned.get("lifetime", ""), name)
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
        if choice in COMPLETED_BY:
            lifetime: timedelta = self.cleaned_data[COMPLETED_BY[choice]]
            return lifetime
        return _preset(choice)


def problem_of_label(label: str) -> str:
    """The problem with a label, as a sentence; "" without one."""
    if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in label):
        return "A label cannot hold line breaks or control characters: remove them."
    if not shows_something(label):
        return "This label has no visible character. Write something that you will recognise."
    return ""


def _preset(choice: str) -> timedelta | None:
    """The lifetime of a preset; None for `never` and for choices that a field completes."""
    return None if choice in ("never", *COMPLETED_BY) else parse_lifetime(choice)


def lifetime_fields(lifetime: timedelta | None) -> dict[str, str]:
    """The fields of the form that ask for this lifetime."""
    presets = {_preset(value): value for value, _ in LIFETIMES if value not in COMPLETED_BY}
    if lifetime in presets:
        return {"lifetime": presets[lifetime]}
    return {"lifetime": "custom", "custom_lifetime": describe(lifetime)}


def time_until_end_of(day: date | None) -> timedelta:
    """The time left until the last minute of a day, in the member's zone, in whole seconds.

    Raises DurationError, with the sentence to show, for a day that no key can end on.
    """
    if day is None:
        raise DurationError("Choose the last day on which the key works.")
    now = timezone.localtime()
    # Compared first: the last day of the calendar has no moment in every zone.
    if day < now.date():
        raise DurationError("This day is over. Choose today or a later day.")
    if day > (now + LONGEST).date() - timedelta(days=1):
        raise DurationError("A key can live for at most 100 years. Choose No expiry instead.")
    end = datetime.combine(day, END_OF_DAY, tzinfo=now.tzinfo)
    left = end.astimezone(UTC) - now.astimezone(UTC)  # a zone's hours may change in between
    if left < SHORTEST:
        raise DurationError("This day is almost over. Choose a later day.")
    return timedelta(seconds=-(-left // timedelta(seconds=1)))  # rounded up to that minute


def proposal(
    policy: Policy,
    *,
    is_admin: bool,
    lifetime: timedelta | Literal["unknown"] | None,
    permission: str,
    **texts: str,
) -> dict[str, str]:
    """The first values of a form for a key like another one, as far as the policy allows them.

    `permission` is "" when it is not known. What is left out keeps the form's own first value.
    """
    found = dict(texts)
    if lifetime != "unknown" and policy.allows_lifetime(lifetime, is_admin=is_admin):
        found |= lifetime_fields(lifetime)
    if permission in policy.permissions:
        found["permission"] = permission
    return found


class KeyCreateManyForm(KeyCreateForm):
    """Several keys with the same lifetime and permission; the labels are one a line."""

    label = None  # type: ignore[assignment]
    labels = forms.CharField(
        label="Labels, one a line",
        help_text=f"At most {MAX_KEYS_AT_ONCE}, each for one program. Estuary stores them.",
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        error_messages={"required": "Write a label for each key, one a line."},
    )
    field_order = ("labels",)
    first_field = "labels"
    max_searched_characters = MAX_LISTED_CHARACTERS

    def clean_labels(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["labels"].splitlines()]
        labels = [line for line in lines if line]
        if len(labels) > MAX_KEYS_AT_ONCE:
            raise ValidationError(
                f"These are {len(labels)} labels: at most {MAX_KEYS_AT_ONCE} keys at once."
            )
        problems = [
            f"Line {lines.index(label) + 1}: {problem}"
            for label in dict.fromkeys(labels)
            if (problem := self._problem_of(label, labels))
        ]
        if problems:
            raise ValidationError(problems)
        return labels

    def _problem_of(self, label: str, labels: list[str]) -> str:
        if len(label) > MAX_LABEL_LENGTH:
            return f"A label has {MAX_LABEL_LENGTH} characters at the most."
        if labels.count(label) > 1:
            return "This label is there twice. Each key needs its own."
        if not self.policy.allows_label(label):
            return label_sentence(self.policy)
        return problem_of_label(label)

    def to_specs(self) -> list[KeySpec]:
        """The keys to create; call this on a valid form."""
        permission = Permission(self.cleaned_data["permission"])
        return [
            KeySpec(label, self._lifetime(), permission) for label in self.cleaned_data["labels"]
        ]


class OverlapFields(forms.Form):
    """When the key that is replaced ends."""

    overlap = forms.ChoiceField(
        label="The old key ends", choices=OVERLAPS, initial="24h", widget=forms.RadioSelect
    )
    custom_overlap = forms.CharField(label="Custom time", required=False, max_length=40)

    def clean_custom_overlap(self) -> timedelta:
        chosen = self.cleaned_data.get("overlap", "now")
        if chosen == "now":
            return timedelta()
        text = self.cleaned_data["custom_overlap"] if chosen == "custom" else chosen
        try:
            return parse_lifetime(text)
        except DurationError:
            raise ValidationError(
                "Write for how long the old key should go on working, one minute at least: "
                "for example 36h, 3d or 1h30m."
            ) from None

    @property
    def overlap_time(self) -> timedelta:
        """For how long both keys work; call this on a valid form."""
        time: timedelta = self.cleaned_data.get("custom_overlap", timedelta())
        return time


class KeyRotateForm(OverlapFields, KeyCreateForm):
    """A key that replaces another one; without an overlap when that one has ended already."""

    def __init__(
        self, *args: Any, is_own: bool = False, has_ended: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if is_own:  # the console cannot work with another permission
            self._offer("permission", PERMISSIONS[1:], Permission.ALL.value)
        if has_ended:
            del self.fields["overlap"], self.fields["custom_overlap"]


class RotationForm(NoTokenFieldsMixin, OverlapFields):
    """A change of the overlap; “now” is a button of its own, the other choices extend it."""

    @property
    def later_choices(self) -> list[forms.boundfield.BoundWidget]:
        return list(self["overlap"])[1:]

    @property
    def ends_now(self) -> bool:
        return bool(self.cleaned_data["overlap"] == "now")


class UnechoedTextarea(forms.Textarea):
    """A text field that never sends back what was typed: it may be a token."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        del value
        return super().get_context(name, None, attrs)


class KeyFindForm(forms.Form):
    """Takes text with tokens in it, and hands over their hashes."""

    text = forms.CharField(
        label="Token, fingerprint or text around one",
        max_length=MAX_TEXT_LENGTH,
        widget=UnechoedTextarea(
            attrs={"rows": 4, "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
        error_messages={
            "required": "Paste a token, a fingerprint, or text with a token in it.",
            "max_length": "This text is too long: paste the part around the token.",
        },
    )
    ask = forms.BooleanField(required=False, widget=forms.HiddenInput)
    about = forms.CharField(required=False, max_length=43, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A browser would cut a long text before the script reduces it to hashes.
        del self.fields["text"].widget.attrs["maxlength"]

    @sensitive_variables()
    def clean_text(self) -> PastedKeys:
        pasted = keys_in(self.cleaned_data["text"])
        if not pasted:
            raise ValidationError(
                "There is no token and no fingerprint in this text. A token begins with EST and "
                "ends with ARY; a fingerprint has 8 characters."
            )
        return pasted

    @sensitive_variables()
    def clean_about(self) -> PastedKeys:
        return keys_in(self.cleaned_data["about"])

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("ask") and "text" in cleaned:
            if len(cleaned["text"].tokens) != 1:
                self.add_error("text", "To ask Estuary about a token, paste that one token, whole.")
            elif not cleaned["text"].may_be(cleaned.get("about")):
                self.add_error("text", "This is the token of another key: paste it above.")
        return cleaned

    @property
    def asks(self) -> bool:
        """Whether Estuary is to be asked about the token."""
        return bool(self.cleaned_data.get("ask"))

    @property
    def sought(self) -> PastedKeys:
        """The keys to find: after an error, the one whose result had the form."""
        return self.cleaned_data.get("text") or self.cleaned_data.get("about") or PastedKeys()


class KeyRevokeForm(NoTokenFieldsMixin):
    """Takes an incident note, and the confirmation that the member's own token may end.

    Only the fields that this key needs are in the form.
    """

    incident = LinesField(
        label="Incident note",
        required=False,
        max_length=MAX_INCIDENT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Where the token leaked, and what you know so far. It goes to the audit and to "
        "the note of this key.",
    )
    confirm_own = forms.BooleanField(
        label="I understand that this disconnects the console from Estuary",
        error_messages={"required": "Tick this to revoke the key that this console itself uses."},
    )

    def __init__(self, *args: Any, is_own: bool, is_incident: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_own:
            del self.fields["confirm_own"]
        if not is_incident:
            del self.fields["incident"]


class BulkForm(NoTokenFieldsMixin):
    """Confirms a change to many keys; subclasses take what is to be set."""

    @property
    def note_to_set(self) -> dict[str, str]:
        """The fields of the notes that are to be set."""
        return {}

    @property
    def days_to_set(self) -> list[int]:
        """The thresholds of reminders that are to be set."""
        return []


class BulkNoteForm(BulkForm):
    display_name = forms.CharField(label="Display name", required=False, max_length=100)
    purpose = forms.CharField(label="Purpose", required=False, max_length=500)
    system = forms.CharField(label="System", required=False, max_length=200)
    contact = forms.CharField(label="Contact", required=False, max_length=200)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, text in list(cleaned.items()):
            if any(unicodedata.category(one) in REFUSED_CATEGORIES for one in text):
                self.add_error(name, "Take out line breaks and control characters.")
            elif text and not shows_something(text):
                self.add_error(name, "This has no visible character: leave it empty.")
        if not self.errors and not self.note_to_set:
            raise ValidationError("Fill in at least one field. Empty fields stay as they are.")
        return cleaned

    @property
    def note_to_set(self) -> dict[str, str]:
        return {name: text for name, text in self.cleaned_data.items() if text}


class BulkRemindForm(BulkForm):
    days = forms.MultipleChoiceField(
        label="Remind me before these keys end",
        choices=REMINDER_DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    @property
    def days_to_set(self) -> list[int]:
        return sorted(map(int, self.cleaned_data["days"]), reverse=True)
