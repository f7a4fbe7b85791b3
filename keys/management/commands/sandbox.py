"""`manage.py sandbox`: an Estuary node to try things with."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.faults import KINDS, parse_fault
from keys.sandbox.estuary.generations import GENERATIONS
from keys.sandbox.seeding import seed_keys, seed_showcase
from keys.sandbox.wire.goduration import DurationError, parse_duration
from keys.sandbox.wire.golang import SECOND


class Command(BaseCommand):
    help = "Run a made-up Estuary node: real sockets, real answers, no storage behind it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--listen", default="127.0.0.1:3004", help="HOST:PORT (%(default)s)")
        parser.add_argument("--generation", default="current", choices=list(GENERATIONS))
        parser.add_argument("--latency", default=0.0, type=seconds, help="before answers: 20ms")
        parser.add_argument(
            "--clock-offset",
            default=0.0,
            type=seconds,
            help="the node's clock is ahead by: =1h, =-5m",
        )
        parser.add_argument("--rate-limit", default=200, type=int, help="a second; 0 for none")
        parser.add_argument("--seed", default=1, type=int, help="makes the same keys again")
        parser.add_argument("--token", help="the first user's own full key, labelled main")
        parser.add_argument("--users", default=1, type=int, help="alice, user2, user3, ...")
        parser.add_argument("--keys", type=int, help="further keys of alice; default: a showcase")
        parser.add_argument("--contents", default=1000, type=int, help="contents of alice")
        parser.add_argument("--state-file", help="keep users and keys in this file")
        parser.add_argument("--fault", action="append", default=[], type=fault, help=_FAULT_HELP)
        parser.add_argument(
            "--truncate-exports",
            action="store_true",
            help="fail beyond 65,535 contents, as Estuary does",
        )

    def handle(self, **options: Any) -> None:
        try:
            node = _node(options)
            tokens = _seed(node, options)
            ended = ended_by_signal()
            node.start()
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        try:
            self.stdout.write(f"Estuary sandbox ({options['generation']}) on {node.url}")
            for name, token in tokens:
                self.stdout.write(f"  {name}: {token}")
            self.stdout.write("Ctrl-C stops it.")
            self.stdout.flush()
            ended.wait()
        finally:
            node.stop()


_FAULT_HELP = (
    "ENDPOINT=KIND[:PARAM=VALUE,...], repeatable; endpoints: list, create, revoke, stats, export, "
    f"viewer, health, any; kinds: {', '.join(KINDS)}"
)


def _node(options: dict[str, Any]) -> Sandbox:
    node = Sandbox(
        listen=options["listen"],
        generation=options["generation"],
        latency=options["latency"],
        clock_offset=options["clock_offset"],
        rate_limit=options["rate_limit"] or None,
        seed=options["seed"],
        state_file=options["state_file"],
    )
    node.truncate_exports = options["truncate_exports"]
    for endpoint, wanted in options["fault"]:
        node.set_fault(endpoint, wanted)
    return node


def _seed(node: Sandbox, options: dict[str, Any]) -> list[tuple[str, str]]:
    """Add users and keys unless a state file has them; returns the main token of each user."""
    if not node.state.users:
        for number in range(options["users"]):
            first = number == 0
            name, contents = ("alice", options["contents"]) if first else (f"user{number + 1}", 0)
            user = node.add_user(name, contents=contents)
            node.add_key(
                user, label="main", lifetime=None, token=options["token"] if first else None
            )
            if first and options["keys"] is None:
                seed_showcase(node, user)
            elif first:
                seed_keys(node, user, options["keys"], options["seed"])
    users = node.state.users.values()
    return [(user.name, next(iter(user.keys), "no key left")) for user in users]


def seconds(text: str) -> float:
    """A Go duration, as Estuary's own options take it."""
    try:
        return parse_duration(text.encode()) / SECOND
    except DurationError as error:
        raise ArgumentTypeError(str(error)) from error


def fault(text: str) -> tuple[str, Fault]:
    """A fault, as the command line names it."""
    try:
        return parse_fault(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def ended_by_signal() -> threading.Event:
    """An event that is set by SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
