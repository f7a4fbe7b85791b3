"""Make the kept lists and figures of all members older; runs in the console's environment."""

from __future__ import annotations

from datetime import timedelta

import django
import time_machine


def main() -> None:
    django.setup()
    from django.utils import timezone

    from keys.actors import Actor
    from keys.api_keys.key_lists import current_list, last_known
    from keys.models import StoredToken
    from keys.stats.services import current_stats
    from keys.stats.services import last_known as last_known_stats

    for stored in StoredToken.objects.select_related("member"):
        actor = Actor(stored.member, "", "")
        has_list, has_figures = last_known(stored), last_known_stats(stored)
        with time_machine.travel(timezone.now() - timedelta(minutes=10), tick=True):
            if has_list:
                current_list(stored, actor, reuse=False)
            if has_figures:
                current_stats(stored, actor)


if __name__ == "__main__":
    main()
