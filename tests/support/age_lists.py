"""Make the kept lists and figures of all members older; runs in the console's environment."""

from __future__ import annotations

from datetime import timedelta

import django

OLDER_BY = timedelta(minutes=10)


def main() -> None:
    django.setup()
    import msgspec

    from keys.api_keys import kept_lists
    from keys.api_keys.key_lists import last_known
    from keys.models import StoredToken
    from keys.stats import services as stats

    # Only the time changes: a list fetched "in the past" would show a node whose clock is ahead.
    for stored in StoredToken.objects.all():
        if known := last_known(stored):
            kept_lists.write(
                stored,
                known.index,
                known.keys_digest,
                unreadable=known.unreadable,
                fetched_at=known.fetched_at - OLDER_BY,
                clock_ahead=known.clock_ahead,
            )
        if figures := stats.last_known(stored):
            stats.keep(
                stored, msgspec.structs.replace(figures, fetched_at=figures.fetched_at - OLDER_BY)
            )


if __name__ == "__main__":
    main()
