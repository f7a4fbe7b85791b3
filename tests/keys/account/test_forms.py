"""A member's preferences as a form."""

from __future__ import annotations

from typing import Any

import pytest

from keys.account.forms import PreferencesForm


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
