"""Form fields for text of several lines."""

from __future__ import annotations

from typing import Any

from django import forms


class LinesField(forms.CharField):
    """Counts a line break as one character, as the browser does that sends it as two."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n")
