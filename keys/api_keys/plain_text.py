"""The count of keys in plain text over the key list, which a member can dismiss."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from django.contrib.auth.models import User

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.models import Preferences, StoredToken
from keys.upstream import ApiKey


def dismiss_plain_text(actor: Actor, stored: StoredToken) -> None:
    """Dismiss the count for the keys in plain text that are listed now."""
    listed = key_lists.last_known(stored) or key_lists.current_list(stored, actor, reuse=True)
    dismissed = " ".join(key.fingerprint for key in listed.keys if key.is_legacy)
    Preferences.objects.update_or_create(
        member=actor.known_member, defaults={"dismissed_plain_text": dismissed}
    )


def is_dismissed(member: User, keys: Iterable[ApiKey]) -> bool:
    """Whether the member dismissed the count, and none of these keys has appeared since."""
    dismissed = {name for (names,) in _dismissed().rows(member.pk) for name in names.split()}
    return bool(dismissed) and all(key.fingerprint in dismissed for key in keys)


@cache
def _dismissed() -> PreparedQuery[Preferences]:
    found = Preferences.objects.filter(member=0)
    return PreparedQuery(found.order_by().values_list("dismissed_plain_text"))
