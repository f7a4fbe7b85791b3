"""Look at all accounts, or do off-boardings, as a worker; in the console's environment."""

from __future__ import annotations

import sys

import django


def main() -> None:
    django.setup()
    from keys.jobs import workers
    from keys.team import overview
    from keys.team.offboarding import run_due
    from keys.team.sync import sync_due

    workers.register()
    if "off-board" in sys.argv:
        run_due()
    else:
        sync_due()
        overview.keep_sample()
    workers.unregister()


if __name__ == "__main__":
    main()
