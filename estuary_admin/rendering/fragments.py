"""Parts of pages that are rendered once for each kind there is, then only filled in.

A part's template is still the only place with its HTML. Django takes longer to walk the frame of a
page, node by node, than for all else that a page needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import NamedTuple

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

INDENTATION = re.compile(r"\s*\n\s*")
HOLE = "\ue000{}\ue001"  # stands in a rendered kind where a value goes


def filled(template: str, name: str, kind: NamedTuple, values: Mapping[str, str]) -> SafeString:
    """A part whose template knows, as `name`, what decides how it looks and the values in it.

    Only `kind` can decide: while the pattern is made, a mark stands for each of the values, which
    are escaped like any other text. Nothing else of the page is known to the template.
    """
    make = _pattern.__wrapped__ if settings.DEBUG else _pattern  # templates change while one works
    pattern = make(template, name, kind, tuple(values))
    shown = {
        hole: value if isinstance(value, SafeString) else escape(value)
        for hole, value in values.items()
    }
    return SafeString(pattern.format_map(shown))  # the values are escaped


@lru_cache(maxsize=2000)
def _pattern(template: str, name: str, kind: NamedTuple, holes: tuple[str, ...]) -> str:
    """The rendered part with `{hole}` where a value goes."""
    marked = {hole: HOLE.format(hole) for hole in holes}
    html: str = render_to_string(template, {name: kind._asdict() | marked})
    html = INDENTATION.sub("\n", html)  # of the templates, not of a value; no part has a <pre>
    html = html.replace("{", "{{").replace("}", "}}")
    for hole, mark in marked.items():
        html = html.replace(mark, f"{{{hole}}}")
    return html
