"""Filters of the table of keys that an admin keeps under a name."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet

from estuary_admin.unicode_text import shows_something, without_invisible
from keys.models import SavedView
from keys.team.query import number
from keys.upstream.redaction import holds_token

MAX_VIEWS = 20


def of_member(member: User) -> QuerySet[SavedView]:
    return SavedView.objects.filter(member=member)


def save(member: User, name: str, query: str) -> str:
    """Save a view, replacing one of the same name; returns why not, or ""."""
    name = without_invisible(name).strip()[:60]
    if not shows_something(name):
        return "Give the view a name."
    if not query:
        return "Filter the keys first: a view keeps a filter."
    if holds_token(f"{name} {query}"):
        return "The view holds a token, and was not saved."
    views = of_member(member)
    if views.count() >= MAX_VIEWS and not views.filter(name=name).exists():
        return f"You have {MAX_VIEWS} views already. Remove one first."
    SavedView.objects.update_or_create(member=member, name=name, defaults={"query": query[:500]})
    return ""


def remove(member: User, text: str) -> None:
    of_member(member).filter(pk=number(text) or 0).delete()
