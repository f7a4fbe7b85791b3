"""Shows the mode of single sign-on, whether it can work, and why a request would be refused."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from jwt import PyJWTError

from estuary_admin.sso.config import Config
from estuary_admin.sso.doctor import Finding, arrived, diagnose
from estuary_admin.sso.identity_values import meta_key
from estuary_admin.sso.key_sets import KeySet
from estuary_admin.sso.refusals import NotBelieved


class Command(BaseCommand):
    help = "Check single sign-on; with --peer and --header, try a request without sending one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--peer", help="the address the request comes from, or unix")
        parser.add_argument("--header", action="append", default=[], metavar="'Name: value'")

    def handle(self, *_: Any, **options: Any) -> None:
        sso: Config = settings.SSO
        self.stdout.write(f"Mode: {sso.mode}, preset: {sso.preset or 'none'}")
        if sso.is_proxy:
            self.stdout.write(f"Headers looked for: {', '.join(sso.identity_headers)}")
        findings = [_keys(sso)] if sso.assertion else []
        if options["peer"] is not None:
            meta = meta_of(options["peer"], options["header"])
            for header in arrived(meta, sso):
                self.stdout.write(f"{header.name}: {header.value or 'absent'}")
            findings += diagnose(meta, sso)
        for finding in findings:
            self.say(finding)
        if sso.is_proxy:
            self.stdout.write("Proof that it is closed, from a machine that is no proxy of yours:")
            self.stdout.write(f"  {proof_by_curl(sso)}    # must print 403, or not connect")
        if not all(finding.is_ok for finding in findings):
            raise CommandError("Single sign-on does not work like this; see above.")

    def say(self, finding: Finding) -> None:
        mark = "ok    " if finding.is_ok else "FAILED"
        self.stdout.write(f"{mark} {finding.title}: {finding.sentence}")
        if finding.fix:
            self.stdout.write(f"       Fix: {finding.fix}")


def _keys(sso: Config) -> Finding:
    assert sso.assertion is not None  # noqa: S101 - for the types
    try:
        keys = KeySet(sso.assertion.jwks_url).keys()
    except (PyJWTError, ValueError):
        return Finding("Keys", False, NotBelieved.KEYS_AWAY.sentence, NotBelieved.KEYS_AWAY.fix)
    names = ", ".join(f"{key.key_id or 'one without an id'} ({key.algorithm_name})" for key in keys)
    return Finding("Keys", True, f"{sso.assertion.jwks_url} lists {names}.")


def meta_of(peer: str, headers: list[str]) -> dict[str, str]:
    meta = {"REMOTE_ADDR": "" if peer == "unix" else peer}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise CommandError(f"--header {name!r} must look like 'Remote-User: alice'.")
        meta[meta_key(name.strip())] = value.strip().encode().decode("latin-1")
    return meta


def proof_by_curl(sso: Config) -> str:
    header = sso.identity_headers[0]
    return (
        f"curl -s -o /dev/null -w '%{{http_code}}\\n' -H '{header}: admin' "
        "http://THIS-MACHINE:8000/keys/"
    )
