"""Look at all accounts, as a worker does; runs in the console's environment."""

from __future__ import annotations

import django


def main() -> None:
    django.setup()
    from keys.jobs import workers
    from keys.team.sync import sync_due

    workers.register()
    sync_due()
    workers.unregister()


if __name__ == "__main__":
    main()
