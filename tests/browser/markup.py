"""Check HTML with html5lib in strict mode, and for faults that a parser ignores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from html5lib.html5parser import ParseError

UNLABELLED = {"hidden", "submit", "button", "reset", "image"}


def faults_of(html: str, *, is_part: bool) -> list[str]:
    """The faults of a page, or of a part."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    try:
        tree: Any = parser.parseFragment(html) if is_part else parser.parse(html)
    except ParseError:  # a strict parser stops at the first fault
        return [f"{place}: {code}" for place, code, _ in parser.errors]
    return [*_doubled_ids(tree), *_unlabelled(tree)]


def _doubled_ids(tree: Element) -> Iterator[str]:
    counts = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    yield from (f"id {name} stands {count} times" for name, count in counts.items() if count > 1)


def _unlabelled(tree: Element) -> Iterator[str]:
    wrapped = {id(field) for label in tree.iter("label") for field in label.iter()}
    named = {label.get("for") for label in tree.iter("label")}
    for field in tree.iter():
        if field.tag not in {"input", "select", "textarea"} or field.get("type") in UNLABELLED:
            continue
        if id(field) not in wrapped and field.get("id") not in named:
            yield f"{field.tag} {field.get('name')} has no label"
