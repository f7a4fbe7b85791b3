"""A member's preferences as a form."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString

from keys.account.choices import THEMES, offered_time_zones


class TimeZoneSelect(forms.Widget):
    """A `<select>` of 500 zones, which Django's own renders in 100 ms: one template for each.

    The options are rendered once in a process; only the selected one differs between members.
    """

    first_option = "As my browser says"

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: Any = None,  # noqa: ARG002 - no template is rendered
    ) -> SafeString:
        attributes = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        html = forms.utils.flatatt(attributes)
        chosen = f'<option value="{escape(str(value or ""))}"'
        options = f'<option value="">{escape(self.first_option)}</option>{zone_options()}'
        return SafeString(
            f"<select{html}>{options.replace(f'{chosen}>', f'{chosen} selected>', 1)}</select>"
        )


@cache
def zone_options() -> str:
    return "".join(f'<option value="{zone}">{zone}</option>' for zone in offered_time_zones())


class PreferencesForm(forms.Form):
    theme = forms.ChoiceField(label="Theme", choices=THEMES, widget=forms.RadioSelect)
    time_zone = forms.CharField(
        label="Time zone", required=False, max_length=64, widget=TimeZoneSelect
    )
    shortcuts = forms.BooleanField(
        label="Keyboard shortcuts",
        required=False,
        help_text="Single keys, such as / to search. Press ? for the list of them.",
    )

    def __init__(self, *args: Any, detected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if detected:
            self.fields["time_zone"].widget.first_option = f"Detected: {detected}"

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"]
        if zone and zone not in offered_time_zones():
            raise ValidationError("Choose a time zone from the list.")
        return zone
