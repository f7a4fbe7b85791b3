from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.management import call_command
from django.db.models.signals import post_migrate


class KeysConfig(AppConfig):
    name = "keys"

    def ready(self) -> None:
        from keys import signals  # noqa: F401 - connects the receivers

        post_migrate.connect(make_cache_table, sender=self)


def make_cache_table(using: str, **_: Any) -> None:
    """So that `migrate` is all the set-up a database needs."""
    call_command("createcachetable", database=using, verbosity=0)
