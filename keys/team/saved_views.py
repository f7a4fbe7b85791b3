"""Filters of the table of keys that an admin keeps under a name."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet

from estuary_admin.unicode_text import shows_something, without_invisible
from keys.models import SavedView
from keys.team.query import number
from keys.upstream.redaction import holds_token

MAX_VIEWS = 20
MAX_NAME = 60
MAX_QUERY = 500  # characters of an address, where a letter may take 12
REFUSED = "The view holds a token, and was not saved."


def of_member(member: User) -> QuerySet[SavedView]:
    return SavedView.objects.filter(member=member)


def save(member: User, name: str, query: str) -> str:
    """Save a view, replacing one of the same name; returns why not, or ""."""
    name = without_invisible(name).strip()
    if not shows_something(name):
        return "Give the view a name."
    if len(name) > MAX_NAME:
        return f"The name is too long: {MAX_NAME} characters at most."
    if len(query) > MAX_QUERY:
        return "The filter is too long to be kept. Search for less text."
    if not query:
        return "Filter the keys first: a view keeps a filter."
    if holds_token(f"{name} {query}"):
        return REFUSED
    views = of_member(member)
    if views.count() >= MAX_VIEWS and not views.filter(name=name).exists():
        return f"You have {MAX_VIEWS} views already. Remove one first."
    SavedView.objects.update_or_create(member=member, name=name, defaults={"query": query})
    return ""


def remove(member: User, text: str) -> bool:
    """False when the member has no such view."""
    return bool(of_member(member).filter(pk=number(text) or 0).delete()[0])
