"""The form of a member's reminders."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin

DAYS = [("30", "30 days"), ("14", "14 days"), ("7", "7 days"), ("1", "1 day")]


class RemindersForm(NoTokenFieldsMixin):
    days = forms.MultipleChoiceField(
        label="Remind me before a key ends",
        choices=DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    webhook_url = forms.CharField(
        label="Webhook",
        required=False,
        max_length=500,
        help_text="A public https address, to which signed messages are posted.",
    )

    def clean_days(self) -> list[int]:
        return sorted((int(day) for day in self.cleaned_data["days"]), reverse=True)

    def clean_webhook_url(self) -> str:
        url: str = self.cleaned_data["webhook_url"]
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises ValueError
        except ValueError:
            raise ValidationError(WRONG_ADDRESS) from None
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValidationError(WRONG_ADDRESS)
        return url


WRONG_ADDRESS = "Write an address such as https://example.com/hook."
