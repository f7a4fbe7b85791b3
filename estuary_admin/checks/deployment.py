"""`manage.py check --deploy`: our own mistakes in settings.

What cannot work stops the start (see `environment`); this finds what works and should not.
"""

from __future__ import annotations

from typing import Any

from django.core import checks

from estuary_admin.checks.advice import MISTAKES


@checks.register(checks.Tags.security, deploy=True)
def own_mistakes(**_: Any) -> list[checks.CheckMessage]:
    return [mistake.message() for mistake in MISTAKES if mistake.is_made()]
