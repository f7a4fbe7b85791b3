"""The forms about keys and the typed values that they return."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.api_keys.forms import KeyCreateForm, KeyRevokeForm
from keys.upstream import KeySpec, Permission


def create_form(**changes: str) -> KeyCreateForm:
    data = {"label": "backup", "lifetime": "30d", "permission": "upload", "nonce": "n"}
    return KeyCreateForm({**data, **changes})


def test_the_default_is_an_upload_key_for_30_days() -> None:
    form = KeyCreateForm()

    assert form["lifetime"].value() == "30d"
    assert form["permission"].value() == "upload"


@pytest.mark.parametrize(
    ("lifetime", "custom", "meant"),
    [
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
        ("a\nb", "no line breaks or control characters"),
        ("a\x1b[31mb", "no line breaks or control characters"),
        ("a\u2028b", "no line breaks or control characters"),
        ("a\ud800b", "no line breaks or control characters"),
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
    assert "Nothing of this label can be seen." in str(form.errors["label"])


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
    assert not KeyRevokeForm({}).is_valid()
    assert KeyRevokeForm({"confirm_own": "on"}).is_valid()
