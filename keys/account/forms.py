"""A member's preferences as a form."""

from __future__ import annotations

from typing import Any

from django import forms

from keys.account.choices import THEMES, time_zones


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
