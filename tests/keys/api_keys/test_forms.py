"""The forms about keys and the typed values that they return."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from keys.api_keys.forms import EVERYTHING_ALLOWED, KeyCreateForm, KeyRevokeForm
from keys.policy.rules import Policy
from keys.upstream import KeySpec, Permission


def create_form(policy: Policy = EVERYTHING_ALLOWED, /, **changes: str) -> KeyCreateForm:
    data = {"label": "backup", "lifetime": "30d", "permission": "upload", "nonce": "n"}
    return KeyCreateForm({**data, **changes}, policy=policy)


def test_the_default_is_an_upload_key_for_30_days() -> None:
    form = KeyCreateForm()

    assert form["lifetime"].value() == "30d"
    assert form["permission"].value() == "upload"


@pytest.mark.parametrize(
    ("lifetime", "custom", "meant"),
    [
        ("1h", "", timedelta(hours=1)),
        ("8h", "", timedelta(hours=8)),
        ("1d", "", timedelta(days=1)),
        ("7d", "", timedelta(days=7)),
        ("30d", "rubbish that does not matter", timedelta(days=30)),
        ("90d", "", timedelta(days=90)),
        ("365d", "", timedelta(days=365)),
        ("custom", "36h", timedelta(hours=36)),
        ("custom", " 1h30m ", timedelta(minutes=90)),
        ("custom", "45d", timedelta(days=45)),
        ("never", "", None),
    ],
)
def test_a_lifetime_is_a_preset_or_custom(
    lifetime: str, custom: str, meant: timedelta | None
) -> None:
    form = create_form(lifetime=lifetime, custom_lifetime=custom, label="  backup ")

    assert form.is_valid()
    assert form.to_spec() == KeySpec("backup", meant, Permission.UPLOAD)


@pytest.mark.parametrize("custom", ["", "0", "-1h", "5", "soon", "30 000 000d", "1s"])
def test_an_invalid_lifetime_has_an_error_at_its_field(custom: str) -> None:
    form = create_form(lifetime="custom", custom_lifetime=custom)

    assert not form.is_valid()
    assert list(form.errors) == ["custom_lifetime"]


NOW = datetime(2026, 11, 28, 15, 0, 30, tzinfo=UTC)


@pytest.fixture
def _fixed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.mark.usefixtures("_fixed_now")
@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("UTC", "2027-01-31", datetime(2027, 1, 31, 23, 59, tzinfo=UTC)),
        ("UTC", "2026-11-28", datetime(2026, 11, 28, 23, 59, tzinfo=UTC)),
        ("Europe/Berlin", "2027-01-31", datetime(2027, 1, 31, 22, 59, tzinfo=UTC)),
        # Summer time begins in between.
        ("Europe/Berlin", "2027-07-01", datetime(2027, 7, 1, 21, 59, tzinfo=UTC)),
        # Clocks are set back at midnight: this minute comes twice.
        ("Asia/Beirut", "2027-10-30", datetime(2027, 10, 30, 21, 59, tzinfo=UTC)),
        ("Pacific/Kiritimati", "2026-11-29", datetime(2026, 11, 29, 9, 59, tzinfo=UTC)),
    ],
)
def test_a_key_ends_with_a_day_in_the_zone_of_the_member(
    zone: str, day: str, end: datetime
) -> None:
    with timezone.override(zone):
        form = create_form(lifetime="date", ends_on=day)

        assert form.is_valid(), form.errors
        assert form.to_spec().lifetime == end - NOW


@pytest.mark.usefixtures("_fixed_now")
@pytest.mark.parametrize(
    ("zone", "day", "sentence"),
    [
        ("UTC", "", "Choose the last day"),
        ("UTC", "2026-11-27", "This day is over"),
        ("UTC", "0001-01-01", "This day is over"),
        ("Pacific/Kiritimati", "2026-11-28", "This day is over"),
        ("America/Adak", "9999-12-31", "at most 100 years"),
        ("UTC", "2126-11-05", "at most 100 years"),
        ("UTC", "31.1.2027", "2027-01-31"),
        ("UTC", "2027-02-30", "2027-01-31"),
        ("UTC", "soon", "2027-01-31"),
    ],
)
def test_a_day_on_which_no_key_can_end_has_an_error_at_its_field(
    zone: str, day: str, sentence: str
) -> None:
    with timezone.override(zone):
        form = create_form(lifetime="date", ends_on=day)

        assert not form.is_valid()
        assert list(form.errors) == ["ends_on"]
        assert sentence in form.errors["ends_on"][0]


def test_the_last_minute_of_a_day_is_too_short_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime(2026, 11, 28, 23, 58, 30, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: late)
    with timezone.override("UTC"):
        form = create_form(lifetime="date", ends_on="2026-11-28")

        assert not form.is_valid()
        assert "almost over" in form.errors["ends_on"][0]


def test_a_date_that_was_not_chosen_does_not_matter() -> None:
    form = create_form(lifetime="30d", ends_on="1999-01-01", custom_lifetime="x" * 65)

    assert form.is_valid()
    assert form.to_spec().lifetime == timedelta(days=30)


@pytest.mark.usefixtures("_fixed_now")
def test_the_policy_is_said_beside_the_date() -> None:
    data = {"label": "a", "lifetime": "date", "permission": "upload", "ends_on": "2027-06-01"}
    form = KeyCreateForm(data, policy=Policy(longest_lifetime=timedelta(days=90)))

    assert not form.is_valid()
    assert form.errors["ends_on"] == ["A key may last at most 90 days, or have no expiry."]


@pytest.mark.parametrize("label", ["x" * 200, "Ünïcödé 🔑", 'a;b%c+d&e#f"<i>', "עברית", "a\u200db"])
def test_a_label_may_be_anything_readable(label: str) -> None:
    form = create_form(label=label)

    assert form.is_valid()
    assert form.to_spec().label == label


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("", "Give the key a label"),
        ("   ", "Give the key a label"),
        ("x" * 201, "A label has 200 characters at the most; this one has 201."),
        ("a\nb", "line breaks or control characters"),
        ("a\x1b[31mb", "line breaks or control characters"),
        ("a\u2028b", "line breaks or control characters"),
        ("a\ud800b", "line breaks or control characters"),
        ("a\x00b", "Null characters are not allowed"),
    ],
)
def test_an_unreadable_label_is_refused(label: str, sentence: str) -> None:
    form = create_form(label=label)

    assert not form.is_valid()
    assert sentence in str(form.errors["label"])


@pytest.mark.parametrize(
    "label", ["\u200b", "\u3164", "\u2800 \u2800", "\ufe0f", "\u00ad\u2060", "\U000e0041", "\u180e"]
)
def test_a_label_that_shows_nothing_is_refused(label: str) -> None:
    form = create_form(label=label)

    assert not form.is_valid()
    assert "This label has no visible character." in str(form.errors["label"])


@pytest.mark.parametrize("purpose", ["\u3164", "\u2800", "a\x1bb", "a\u2028b"])
def test_a_purpose_that_shows_nothing_or_breaks_lines_is_refused(purpose: str) -> None:
    form = create_form(purpose=purpose)

    assert not form.is_valid()
    assert "purpose" in form.errors


@pytest.mark.parametrize(("field", "value"), [("permission", "root"), ("lifetime", "2d")])
def test_only_offered_choices_are_valid(field: str, value: str) -> None:
    form = create_form(**{field: value})

    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_revoking_the_own_key_needs_confirmation() -> None:
    assert not KeyRevokeForm({}, is_own=True, is_incident=False).is_valid()
    assert KeyRevokeForm({"confirm_own": "on"}, is_own=True, is_incident=False).is_valid()
    assert KeyRevokeForm({}, is_own=False, is_incident=False).is_valid()


def test_a_line_break_of_an_incident_note_counts_as_one_character() -> None:
    form = KeyRevokeForm({"incident": "x\r\n" * 249 + "yz"}, is_own=False, is_incident=True)

    assert form.is_valid(), form.errors
    assert form.cleaned_data["incident"] == "x\n" * 249 + "yz"


def test_a_field_that_is_wrong_already_says_one_thing_only() -> None:
    form = create_form(Policy(is_purpose_required=True), purpose="\u3164")

    assert len(form.errors["purpose"]) == 1
