"""Checks single sign-on, and says why a request would be refused without sending one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from estuary_admin.observability.doctor import Check
from estuary_admin.sso.config import Config
from estuary_admin.sso.doctor import arrived, check_sso, diagnose
from estuary_admin.sso.identity_values import meta_key


class Command(BaseCommand):
    help = "Check single sign-on; with --peer and --header, try a request without sending one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--peer", help="the address the request comes from, or unix")
        parser.add_argument("--header", action="append", default=[], metavar="'Name: value'")

    def handle(self, *_: Any, **options: Any) -> None:
        sso: Config = settings.SSO
        self.stdout.write(f"Mode: {sso.mode}, preset: {sso.preset or 'none'}")
        checks = check_sso()
        if options["peer"] is not None:
            meta = meta_of(options["peer"], options["header"])
            for header in arrived(meta, sso):
                self.stdout.write(f"{header.name}: {header.value or 'absent'}")
            checks += [
                Check(f"{finding.title}: {finding.sentence}", finding.is_ok, finding.fix)
                for finding in diagnose(meta, sso)
            ]
        for check in checks:
            self.say(check)
        if sso.is_proxy:
            self.stdout.write("Run this on a machine that is no proxy:")
            self.stdout.write(f"  {proof_by_curl(sso)}")
            self.stdout.write(f"It must print {refusal_status()}, or not connect.")
        if not all(check.ok or check.is_warning for check in checks):
            raise CommandError("Single sign-on does not work like this; see above.")

    def say(self, check: Check) -> None:
        state = "ok" if check.ok else "warning" if check.is_warning else "FAILED"
        self.stdout.write(f"{state:7}{check.line}")
        if check.fix and not check.ok:
            self.stdout.write(f"       Fix: {check.fix}")


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
        "curl -s -o /dev/null -w '%{http_code}\\n' "
        f"-H 'Host: {settings.PUBLIC_URL.netloc}' -H '{header}: admin' "
        "http://CONSOLE:8000/keys/"
    )


def refusal_status() -> int:
    """With https, the console redirects to its public address before it reads any header."""
    return 301 if settings.IS_HTTPS else 403
