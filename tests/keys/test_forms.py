"""What people type, and the typed values that come of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from keys.forms import KeyCreateForm, KeyRevokeForm, PreferencesForm, TokenConnectForm, bare_token
from keys.upstream import KeySpec, Permission

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"


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
def test_a_lifetime_is_a_choice_or_ones_own(
    lifetime: str, custom: str, meant: timedelta | None
) -> None:
    form = create_form(lifetime=lifetime, custom_lifetime=custom, label="  backup ")

    assert form.is_valid()
    assert form.to_spec() == KeySpec("backup", meant, Permission.UPLOAD)


@pytest.mark.parametrize("custom", ["", "0", "-1h", "5", "soon", "30 000 000d", "1s"])
def test_a_wrong_lifetime_is_told_beside_its_field(custom: str) -> None:
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
def test_a_label_nobody_can_read_is_refused(label: str, sentence: str) -> None:
    form = create_form(label=label)

    assert not form.is_valid()
    assert sentence in str(form.errors["label"])


@pytest.mark.parametrize(("field", "value"), [("permission", "root"), ("lifetime", "2d")])
def test_only_what_is_offered_can_be_chosen(field: str, value: str) -> None:
    form = create_form(**{field: value})

    assert not form.is_valid()
    assert list(form.errors) == [field]


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f"Bearer {TOKEN}",
        f"bearer   {TOKEN}",
        f'"{TOKEN}"',
        f"'Bearer {TOKEN}'",
        f"Authorization: Bearer {TOKEN}",
        f'"Authorization: Bearer {TOKEN}"',
        f'Bearer "{TOKEN}"',
        f"`{TOKEN}`",
    ],
)
def test_what_people_copy_along_is_forgiven(pasted: str) -> None:
    form = TokenConnectForm({"token": pasted})

    assert form.is_valid()
    assert form.cleaned_data["token"] == TOKEN


@pytest.mark.parametrize(
    "pasted",
    ["x", "ESTARX", TOKEN[:-1], TOKEN[1:], f"{TOKEN} {TOKEN}", "EST/../ARY", "ESTüARY", "EST\tARY"],
)
def test_what_is_no_token_is_told_and_not_repeated(pasted: str) -> None:
    form = TokenConnectForm({"token": pasted})

    assert not form.is_valid()
    assert "does not look like an Estuary API key" in str(form.errors["token"])
    assert f'value="{pasted}' not in str(form["token"])


def test_nothing_pasted_is_told() -> None:
    form = TokenConnectForm({"token": " "})

    assert form.errors["token"] == ["Paste an API key of your Estuary account."]


def test_bare_token_leaves_other_text_alone() -> None:
    assert bare_token("hello") == "hello"


def test_ones_own_key_needs_a_yes() -> None:
    assert not KeyRevokeForm({}).is_valid()
    assert KeyRevokeForm({"confirm_own": "on"}).is_valid()


@pytest.mark.parametrize(
    ("data", "is_valid"),
    [
        ({"theme": "dark", "time_zone": "Europe/Berlin"}, True),
        ({"theme": "system", "time_zone": ""}, True),
        ({"theme": "light", "time_zone": "UTC"}, True),
        ({"theme": "pink", "time_zone": ""}, False),
        ({"theme": "dark", "time_zone": "Mars/Olympus"}, False),
        ({"theme": "dark", "time_zone": "../../etc/passwd"}, False),
    ],
)
def test_only_known_preferences_are_taken(data: dict[str, Any], is_valid: bool) -> None:
    assert PreferencesForm(data).is_valid() is is_valid


def test_the_detected_zone_is_offered_first() -> None:
    form = PreferencesForm(detected="Asia/Tokyo")

    assert "Detected: Asia/Tokyo" in str(form["time_zone"])
