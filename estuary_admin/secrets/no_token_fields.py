"""Form fields that refuse an Estuary token: people paste what is on their clipboard."""

from __future__ import annotations

from copy import copy
from typing import Any

from django import forms

from estuary_admin.unicode_text import without_invisible
from keys.upstream.redaction import holds_token, pasted_token

MAX_SEARCHED_CHARACTERS = 4096  # longer text is refused unread
#: The same in a form that takes a list: 50 labels have up to 10,100.
MAX_LISTED_CHARACTERS = 12_000


class NoTokenFieldsMixin(forms.Form):
    """Refuses a token in any declared field, and does not send it back to the page.

    The text is withheld before the form cleans it, so that no token reaches a log or an error
    message by way of a validator.
    """

    max_searched_characters = MAX_SEARCHED_CHARACTERS

    def full_clean(self) -> None:
        refused = {name: sentence for name in self.fields if (sentence := self._refusal(name))}
        if refused:
            data: Any = copy(self.data)  # that of a request cannot be changed
            for name in refused:
                data[self.add_prefix(name)] = ""
            self.data = data
        super().full_clean()
        for name, sentence in refused.items():
            self.errors[name] = self.error_class([sentence], renderer=self.renderer)
            self.cleaned_data.pop(name, None)

    def _refusal(self, name: str) -> str:
        """The reason to refuse the text of this field; "" when it is accepted."""
        field = self.add_prefix(name)
        sent: Any = self.data  # a field of several choices has several texts
        texts = sent.getlist(field) if hasattr(sent, "getlist") else [sent.get(field, "")]
        refusals = (_refusal_of(text, self.max_searched_characters) for text in texts)
        return next(filter(None, refusals), "")


def _refusal_of(text: object, most: int) -> str:
    if not isinstance(text, str):
        return ""
    if len(text) > most:
        return f"This is too long: it has {len(text)} characters."
    if looks_like_token(text):
        return "This looks like the token of a key, which does not belong here."
    return ""


def looks_like_token(text: str) -> bool:
    """Whether a text of a form holds a token, also one wrapped into lines or with characters that
    show nothing.
    """
    return holds_token(text) or bool(pasted_token(without_invisible(text)))
