"""Forms that take no token where none belongs: people paste what is on their clipboard."""

from __future__ import annotations

from django import forms

from keys.upstream.redaction import holds_token


class TokenShyMixin(forms.Form):
    """Refuses a token in a field where none belongs, and does not send it back to the page."""

    def full_clean(self) -> None:
        tokens = [name for name, value in self.data.items() if holds_token(str(value))]
        if tokens:
            self.data = {name: "" if name in tokens else self.data[name] for name in self.data}
        super().full_clean()
        for name in self.fields.keys() & set(tokens):
            sentence = "This looks like an Estuary API key, which does not belong here."
            self.errors[name] = self.error_class([sentence], renderer=self.renderer)
