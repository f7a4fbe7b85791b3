"""Run inside the console's environment: every proof in every session grows old."""

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
