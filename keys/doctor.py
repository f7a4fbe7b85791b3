"""The doctor's checks of Estuary, stored tokens and workers."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from uuid import uuid4

from django.conf import settings

from estuary_admin.observability.doctor import Check, register
from estuary_admin.secrets.sealing import sealing_keys
from keys.exports.file_store import FileStore, file_store
from keys.fetched import CLOCK_TOLERANCE
from keys.jobs.status import worker_status
from keys.models import StoredToken
from keys.upstream import EstuaryClient, UpstreamError, last_seen

MAX_WAIT_SECONDS = 10.0
#: Well-formed, but nobody's: a node that refuses it is reachable and speaks Estuary's protocol.
UNKNOWN_TOKEN = "EST00000000-0000-4000-8000-000000000000ARY"  # noqa: S105


def node() -> Iterator[Check]:
    """Check that the node is reachable and speaks Estuary's protocol."""
    address = settings.ESTUARY_API_URL.geturl()
    client = EstuaryClient(
        address,
        UNKNOWN_TOKEN,
        min(settings.ESTUARY_TIMEOUT, MAX_WAIT_SECONDS),
        proxy=settings.ESTUARY_HTTP_PROXY,
    )
    try:
        client.stats()
    except UpstreamError as error:
        if not error.is_about_token:
            fix = "Correct ESTUARY_API_URL, or look at the node and the way to it."
            yield Check(f"{address}: {error.what}", ok=False, fix=fix)
            return
    yield Check(f"The node {address} answers.", ok=True)
    seen = last_seen()
    if seen and seen.clock:
        ahead = seen.clock.ahead
        yield Check(
            f"The clocks of the node and this machine differ by {ahead.total_seconds():.0f} s.",
            ok=abs(ahead) <= CLOCK_TOLERANCE,
            fix="Run a time service, such as systemd-timesyncd: expired keys are judged by both.",
        )


def stored_tokens() -> Iterator[Check]:
    """Check that every stored token can be unsealed."""
    known = set(sealing_keys())
    sealed = StoredToken.objects.values_list("sealed", flat=True)
    closed = sum(text.split(".")[1:2] != [] and text.split(".")[1] not in known for text in sealed)
    yield Check(
        f"Stored tokens sealed with a key that is not set: {closed} of {len(sealed)}."
        if closed
        else f"The sealing keys fit every stored token, {len(sealed)} in all.",
        ok=not closed,
        fix="Add the old key to the end of TOKEN_SEALING_KEYS, or have those members reconnect.",
    )


def workers() -> Iterator[Check]:
    """Check that a background worker is running."""
    sentence = worker_status().sentence
    yield Check(
        sentence or "A background worker is running.",
        ok=not sentence,
        fix="Start `manage.py worker` (estuary-admin-worker.service).",
    )


def export_storage() -> Iterator[Check]:
    """Check that a file can be written, read and deleted."""
    place, store = settings.EXPORT_STORAGE, file_store()
    name = f"{uuid4().hex}-doctor"
    try:
        _try_storage(store, name)
    except OSError as error:
        yield Check(
            f"EXPORT_STORAGE {place} cannot be used: {error.strerror or error}.",
            ok=False,
            fix="Correct EXPORT_STORAGE and the settings below it in docs/configuration.md, which "
            "names the permissions that the access key needs.",
        )
        return
    yield Check(f"EXPORT_STORAGE {place} can be written and read.", ok=True)


def _try_storage(store: FileStore, name: str) -> None:
    """Write, read and delete a file; raises OSError."""
    try:
        file = store.create(name)
        try:
            file.write(b"doctor")
            store.keep(file)
        finally:
            file.close()
        with store.open(name) as found:
            if found.read(0, found.size) != b"doctor":
                raise OSError(errno.EIO, "it returned other bytes than were written")
        next(iter(store.names()), None)
    finally:
        store.delete(name)


register("Estuary", node)
register("Stored tokens", stored_tokens)
register("Worker", workers)
register("Exports", export_storage)
