"""Make the proofs of all sessions too old; runs in the console's environment."""

from __future__ import annotations

import django


def main() -> None:
    django.setup()
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        if session.get("proved_at"):
            session["proved_at"] -= 24 * 3600
            session.save()


if __name__ == "__main__":
    main()
