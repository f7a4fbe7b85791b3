"""Check HTML with html5lib in strict mode, and for faults that a parser ignores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from html5lib.html5parser import ParseError

#: What an element is without a role.
OWN_ROLES = {
    "table": {"table"},
    "thead": {"rowgroup"},
    "tbody": {"rowgroup"},
    "tr": {"row"},
    "th": {"columnheader", "rowheader"},
    "td": {"cell"},
    "nav": {"navigation"},
    "main": {"main"},
    "header": {"banner"},
    "button": {"button"},
    "ul": {"list"},
    "ol": {"list"},
    "li": {"listitem"},
    "dialog": {"dialog"},
    "form": {"form"},
    "section": {"region"},
    "h1": {"heading"},
    "h2": {"heading"},
}
#: These may have no name while they have no role.
NAMELESS = {"div", "span", "p", "code", "pre", "b", "i", "strong", "bdi", "time", "dd", "dt", "li"}
REFERENCES = ("aria-describedby", "aria-labelledby", "aria-controls", "for")
FOCUSABLE = {"a", "button", "input", "select", "textarea", "summary"}
UNLABELLED = {"hidden", "submit", "button", "reset", "image"}


def faults_of(html: str, *, is_part: bool) -> list[str]:
    """The faults of a page, or of a part."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    try:
        tree: Any = parser.parseFragment(html) if is_part else parser.parse(html)
    except ParseError:  # a strict parser stops at the first fault
        return [f"{place}: {code}" for place, code, _ in parser.errors]
    missing = [] if is_part else _missing_references(tree)  # a part may name the rest of the page
    return [
        *_doubled_ids(tree),
        *_unlabelled(tree),
        *_roles(tree),
        *_losing_focus(tree),
        *missing,
    ]


def _doubled_ids(tree: Element) -> Iterator[str]:
    counts = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    yield from (f"id {name} occurs {count} times" for name, count in counts.items() if count > 1)


def _unlabelled(tree: Element) -> Iterator[str]:
    wrapped = {id(field) for label in tree.iter("label") for field in label.iter()}
    named = {label.get("for") for label in tree.iter("label")}
    for field in tree.iter():
        if field.tag not in {"input", "select", "textarea"} or field.get("type") in UNLABELLED:
            continue
        if id(field) not in wrapped and field.get("id") not in named:
            yield f"{field.tag} {field.get('name')} has no label"


def _roles(tree: Element) -> Iterator[str]:
    for element in tree.iter():
        role = element.get("role")
        if role in OWN_ROLES.get(str(element.tag), set()):
            yield f"{element.tag} repeats its role {role}"
        is_named = element.get("aria-label") or element.get("aria-labelledby")
        if is_named and not role and element.tag in NAMELESS:
            yield f"{element.tag} has a name but no role"


def _losing_focus(tree: Element) -> Iterator[str]:
    """In a part that asks for itself, htmx gives the focus back to what has an id."""
    for part in tree.iter():
        if (part.get("data-hx-trigger") or "").startswith("every"):
            for element in _shown(part):
                if element.tag in FOCUSABLE and not element.get("id"):
                    yield f"{element.tag} {element.text} loses the focus with each poll"


def _shown(part: Element) -> Iterator[Element]:
    """The elements that are there for browsers with scripts."""
    is_hidden = part.get("type") == "hidden" or part.get("hidden") is not None
    if is_hidden or "unscripted" in (part.get("class") or ""):
        return
    yield part
    for child in part:
        yield from _shown(child)


def _missing_references(tree: Element) -> Iterator[str]:
    ids = {element.get("id") for element in tree.iter()}
    for element in tree.iter():
        target = element.get("href") or ""
        if str(element.tag).endswith("}use") and target.removeprefix("#") not in ids:
            yield f"use shows {target}, which is missing"
        for attribute in REFERENCES:
            named = (element.get(attribute) or "").split()
            yield from (
                f"{attribute} names {one}, which is missing" for one in named if one not in ids
            )
