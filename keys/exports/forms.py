"""Forms that name the member whose data is wanted, and the export to stop."""

from __future__ import annotations

from django import forms

MAX_ID = 2**63 - 1


class ExportForm(forms.Form):
    """The member's own data when nobody is named."""

    member = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)


class ExportStopForm(forms.Form):
    export = forms.IntegerField(min_value=1, max_value=MAX_ID)


class ComparisonForm(forms.Form):
    """Two prepared exports, by their numbers."""

    old = forms.UUIDField()
    new = forms.UUIDField()


class ScheduleForm(forms.Form):
    """How often an export is prepared; "" for never."""

    every = forms.ChoiceField(
        required=False,
        choices=[("", "Never"), ("week", "Every Monday"), ("month", "On the first of each month")],
        label="Prepare exports automatically",
    )
