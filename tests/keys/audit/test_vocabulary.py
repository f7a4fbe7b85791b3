"""The vocabulary knows every event of the frame, and says everything of each action."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from estuary_admin.sso.events import Event, tell
from keys.audit.vocabulary import Action, Outcome, action_words, outcome_words
from keys.models import AuditEntry


def test_every_event_of_the_frame_is_in_the_vocabulary() -> None:
    assert {event.value for event in Event} <= {action.value for action in Action}


def test_an_event_that_the_vocabulary_lacks_is_recorded_without_an_error(
    alice: User, rf: RequestFactory
) -> None:
    request = rf.get("/")
    request.user = alice

    tell(request, "later:event", alice)  # type: ignore[arg-type]

    assert AuditEntry.objects.get().action == "later:event"


def test_every_action_says_everything() -> None:
    for action in Action:
        assert re.fullmatch(r"[a-z]+:[a-z-]{1,30}", action)
        assert action.words[0].isupper()
        assert re.fullmatch(r"|[a-z]+(_[a-z]+)+", action.owasp)
    assert len({action.words for action in Action}) == len(Action)


def test_unknown_codes_are_shown_as_they_are() -> None:
    assert action_words("later:action") == "later:action"
    assert outcome_words("later") == "later"
    assert outcome_words(Outcome.DONE) == "Done"


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_refused_sign_in_is_a_refusal(alice: User, client: Client, name: str) -> None:
    client.post("/accounts/login/", {"login": name, "password": "wrong"})

    entry = AuditEntry.objects.get(action=Action.SIGN_IN_FAILED)
    assert (entry.outcome, entry.actor_name) == (Outcome.REFUSED, "alice" * (name == "alice"))
