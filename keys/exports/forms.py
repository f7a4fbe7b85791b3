"""Whose data an export is about."""

from __future__ import annotations

from django import forms


class ExportForm(forms.Form):
    """Whose data: the member's own when nobody is named."""

    member = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
