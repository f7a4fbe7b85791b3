"""Forms of what admins do for members."""

from __future__ import annotations

from django import forms

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin


class ReasonForm(NoTokenFieldsMixin):
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        help_text="The member reads it, and it stays in the audit.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
