"""Creating several keys from a list of labels, exactly once, and handing their tokens over."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from estuary_admin.storage.connections import release_connection
from keys import throttles
from keys.actors import Actor
from keys.api_keys.conclusions import Conclusion, record_conclusions
from keys.api_keys.create import CHECK_SECONDS, REFUSALS, UNREADABLE_LIST, Creation
from keys.api_keys.lost_creations import find_after_lost_answer
from keys.audit.download import safe_cell
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.policy.enforce import check_new_key
from keys.token.stored_tokens import client_for
from keys.upstream import (
    CreatedKey,
    EstuaryClient,
    KeyList,
    KeySpec,
    RateLimited,
    UpstreamError,
    UpstreamUnavailable,
)

Outcome = KeyCreation.Outcome

VARIABLE = "ESTUARY_TOKEN"
NOT_TRIED = "It was not tried after the one before had failed."
NO_TIME = "No time was left for it: create it with another list."
#: Of ESTUARY_TIMEOUT: with less time left no further key is asked for, whose answer could be lost.
RESERVED_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcome of one submitted form. Only the answer to the first submit holds tokens."""

    creations: list[Creation] = field(repr=False)
    is_repeated: bool = False
    doubt: str = ""  # why it could not be checked that Estuary lists the keys

    @property
    def made(self) -> list[tuple[KeyCreation, CreatedKey]]:
        return [(one.record, one.created) for one in self.creations if one.created]


def create_many(
    actor: Actor, stored: StoredToken, specs: Sequence[KeySpec], nonce: str, purpose: str
) -> Batch:
    """Create these keys one after the other, once for one nonce.

    The labels differ, so that a key whose answer was lost can be told from the others. Raises
    UpstreamError, TooOften or PolicyRefused when it is certain that no key was made.
    """
    if before := _created_before(actor, nonce):
        return before
    end = time.monotonic() + settings.ESTUARY_TIMEOUT * (1 - RESERVED_SHARE)
    client = client_for(stored, actor)
    try:
        listed = _checked_wishes(actor, client, specs, purpose)
    except REFUSALS:
        # The first of two submits at once may be what this one was refused for.
        if before := _created_before(actor, nonce):
            return before
        raise
    try:
        records = _claim_all(actor, specs, nonce, purpose)
    except IntegrityError:
        return _created_before(actor, nonce) or Batch([], is_repeated=True)
    answers = _ask_for_each(client, specs, listed, end)
    after, doubt = _list_after(actor, stored)
    found = list(zip(records, answers, strict=True))
    ended = [(record, _conclusion(answer, after)) for record, answer in found]
    record_conclusions(actor, stored, ended)
    creations = [
        Creation(record, answer.created, sentence=answer.sentence) for record, answer in found
    ]
    return Batch(creations, doubt=doubt)


def _checked_wishes(
    actor: Actor, client: EstuaryClient, specs: Sequence[KeySpec], purpose: str
) -> KeyList:
    """Look whether the keys may be made; returns Estuary's list."""
    throttles.check(actor, Action.KEY_CREATE_REQUESTED)
    listed = client.list_keys()
    for count, spec in enumerate(specs):
        check_new_key(actor, spec, purpose, listed, more=count)
    return listed


def _created_before(actor: Actor, nonce: str) -> Batch | None:
    """The outcome of an earlier submit of the form; waits while that one is still running."""
    found = KeyCreation.objects.filter(nonce__startswith=f"{nonce}:", member=actor.member)
    records = list(found.order_by("pk"))
    end = time.monotonic() + settings.ESTUARY_TIMEOUT
    while any(map(_is_under_way, records)) and time.monotonic() < end:
        release_connection()
        time.sleep(0.1)
        records = list(found.order_by("pk"))
    creations = [Creation(record, is_repeated=True) for record in records]
    return Batch(creations, is_repeated=True) if creations else None


def _is_under_way(record: KeyCreation) -> bool:
    patience = timedelta(seconds=settings.ESTUARY_TIMEOUT)
    return record.outcome == Outcome.REQUESTED and not record.is_overdue(patience)


def _claim_all(
    actor: Actor, specs: Sequence[KeySpec], nonce: str, purpose: str
) -> list[KeyCreation]:
    records = []
    with transaction.atomic():
        for number, spec in enumerate(specs):
            record = KeyCreation.objects.create(
                nonce=f"{nonce}:{number}",
                member=actor.known_member,
                member_name=actor.known_member.get_username(),
                label=spec.label,
                permission=spec.permission,
                lifetime=spec.lifetime,
                purpose=purpose,
            )
            records.append(record)
            record_action(actor, Action.KEY_CREATE_REQUESTED, AuditOutcome.STARTED)
    return records


@dataclass(frozen=True, slots=True)
class _Answer:
    """The outcome of one request: a key, or the error."""

    created: CreatedKey | None = field(default=None, repr=False)
    outcome: Outcome = Outcome.CREATED
    token_hash: str = ""
    reason: str = ""
    sentence: str = ""


@sensitive_variables("answers", "answer")
def _ask_for_each(
    client: EstuaryClient, specs: Sequence[KeySpec], listed: KeyList, end: float
) -> list[_Answer]:
    """Ask for one key after the other, until `end` or an error that all would meet."""
    answers: list[_Answer] = []
    failure: UpstreamError | None = None
    for spec in specs:
        if failure:
            answers.append(_Answer(None, Outcome.NOT_CREATED, "", failure.code, NOT_TRIED))
            continue
        if time.monotonic() > end:
            answers.append(_Answer(None, Outcome.NOT_CREATED, "", "no-time", NO_TIME))
            continue
        made = [answer.token_hash for answer in answers if answer.token_hash]
        answer, error = _ask(client, spec, listed, made)
        answers.append(answer)
        if error and (error.is_about_token or isinstance(error, RateLimited | UpstreamUnavailable)):
            failure = error
    return answers


@sensitive_variables("created")
def _ask(
    client: EstuaryClient, spec: KeySpec, listed: KeyList, made: Sequence[str]
) -> tuple[_Answer, UpstreamError | None]:
    try:
        created = client.create_key(spec)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            return _Answer(None, Outcome.NOT_CREATED, "", error.code, error.what), error
        outcome, token_hash = find_after_lost_answer(client, spec, listed, made)
        return _Answer(None, outcome, token_hash, error.code, error.what), error
    return _Answer(created, token_hash=created.token_hash), None


def _list_after(actor: Actor, stored: StoredToken) -> tuple[KeyList | None, str]:
    """The list once more: a node that answers 200 may have made nothing."""
    timeout = min(CHECK_SECONDS, settings.ESTUARY_TIMEOUT)
    try:
        listed = client_for(stored, actor, timeout=timeout).list_keys()
    except UpstreamError as error:
        return None, error.what
    return listed, UNREADABLE_LIST if listed.unreadable else ""


@sensitive_variables("answer")
def _conclusion(answer: _Answer, after: KeyList | None) -> Conclusion:
    outcome, reason = answer.outcome, answer.reason
    is_certain = after is not None and not after.unreadable
    if answer.created and is_certain and after and not after.find(answer.token_hash):
        outcome, reason = Outcome.UNLISTED, "not-listed"
    return Conclusion(outcome, answer.token_hash, reason)


@sensitive_variables()
def env_lines(batch: Batch) -> str:
    """A line of an `.env` file for each key that was made, under names that differ."""
    lines: dict[str, str] = {}
    for record, created in batch.made:
        name = variable_of(record.label)
        number = 2
        while name in lines:
            name, number = f"{variable_of(record.label)}_{number}", number + 1
        lines[name] = created.token
    return "".join(f"{name}={token}\n" for name, token in lines.items())


def variable_of(label: str) -> str:
    """The name of an environment variable for a label."""
    word = re.sub(r"[^A-Z0-9]+", "_", label.upper()).strip("_")
    return f"{VARIABLE}_{word}" if word else VARIABLE


@sensitive_variables()
def csv_text(batch: Batch) -> str:
    """The keys that were made as CSV, with their tokens."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["label", "fingerprint", "expires", "token"])
    for record, created in batch.made:
        expires = "" if record.lifetime is None else created.expiry.isoformat(timespec="seconds")
        label, fingerprint = safe_cell(record.label), safe_cell(created.fingerprint)
        writer.writerow([label, fingerprint, expires, created.token])
    return file.getvalue()
