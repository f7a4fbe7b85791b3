"""Conditions on the token hash of a row."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Left
from django.db.models.lookups import Exact


def begins_with(text: str) -> Q:
    """Rows whose token hash begins with a text, by case.

    SQLite's LIKE ignores case, but two hashes may differ in case alone. PostgreSQL has an index
    for LIKE.
    """
    return Q(token_hash__startswith=text) & Q(Exact(Left("token_hash", len(text)), text))
