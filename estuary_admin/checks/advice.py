"""What is said of each mistake in settings that works and should not: an id, a sentence, a fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.core import checks

from estuary_admin.checks import mistakes


@dataclass(frozen=True, slots=True)
class Mistake:
    """`E…` must not be, `W…` may be meant."""

    id: str
    is_made: Callable[[], bool]
    sentence: str
    fix: str

    def message(self) -> checks.CheckMessage:
        kind = checks.Error if self.id.startswith("E") else checks.Warning
        return kind(self.sentence, hint=self.fix, id=f"estuary_admin.{self.id}")


MISTAKES = [
    Mistake(
        "E001",
        mistakes.weak_secret_key,
        "SECRET_KEY can be guessed: it is short, or made of few different characters, or known.",
        "Set it to what `openssl rand -base64 48` prints. Everybody has to sign in again.",
    ),
    Mistake(
        "E002",
        mistakes.debug,
        "DEBUG is on: whoever meets an error sees code and settings.",
        "Take DEBUG out of the environment.",
    ),
    Mistake(
        "E003",
        mistakes.no_sealing_keys,
        "TOKEN_SEALING_KEYS is not set: the server will not start, for no token could be kept.",
        "Set it to what `openssl rand -base64 32` prints, and keep a copy apart from the database.",
    ),
    Mistake(
        "E004",
        mistakes.typed_sealing_key,
        "TOKEN_SEALING_KEYS holds a key that somebody made up: it is text, not random bytes.",
        "Put what `openssl rand -base64 32` prints first, run `reseal_tokens`, take the old out.",
    ),
    Mistake(
        "E005",
        mistakes.local_address_in_public,
        "PUBLIC_URL is plain http, but ALLOWED_HOSTS lets in names beyond this machine.",
        "Set PUBLIC_URL to the https address that people type.",
    ),
    Mistake(
        "E006",
        mistakes.everybody_is_a_proxy,
        "TRUSTED_PROXIES holds a network that is nearly everybody: anyone can claim any address.",
        "Name the addresses of your own proxies.",
    ),
    Mistake(
        "E007",
        mistakes.any_host,
        "ALLOWED_HOSTS holds `*`: links on pages can be made to lead elsewhere.",
        "Leave it out, or name the hosts under which the console is reached.",
    ),
    Mistake(
        "E008",
        mistakes.own_host_refused,
        "ALLOWED_HOSTS lacks the host of PUBLIC_URL: every page would be refused.",
        "Add it, or leave ALLOWED_HOSTS out.",
    ),
    Mistake(
        "E009",
        mistakes.database_over_the_network,
        "The SQLite file is on a network file system, where its locks do not hold.",
        "Keep DATA_DIR on a disk of this machine, or set DATABASE_URL to a PostgreSQL.",
    ),
    Mistake(
        "E010",
        mistakes.anybody_is_a_member,
        "SSO_OIDC_ISSUER is open to the whole world, and whoever comes from there is a member.",
        "Set SSO_MEMBER_GROUPS, or SSO_AUTO_CREATE=false and make members yourself.",
    ),
    Mistake(
        "E011",
        mistakes.monitor_is_everybody,
        "METRICS_ALLOWED holds a network that is nearly everybody.",
        "Name the addresses of your monitors, or use METRICS_TOKEN.",
    ),
    Mistake(
        "W001",
        mistakes.sqlite_for_several,
        "REDIS_URL is for several machines, but they cannot share the SQLite that is used.",
        "Set DATABASE_URL to a PostgreSQL, or take REDIS_URL out if there is one machine.",
    ),
    Mistake(
        "W002",
        mistakes.unknown_proxy,
        "TRUSTED_PROXIES is not set: audit and throttles know one address for everybody.",
        "Set TRUSTED_PROXIES to the proxy's address as seen from here.",
    ),
    Mistake(
        "W003",
        mistakes.no_second_lock,
        "Any program on this machine may say who somebody is: SSO_PROXY_SECRET is not set.",
        "Have the proxy send X-Proxy-Secret, and set SSO_PROXY_SECRET to the same value.",
    ),
    Mistake(
        "W004",
        mistakes.fallback_left_open,
        "SSO_LOCAL_FALLBACK is on: passwords open the console beside single sign-on.",
        "Take it out when single sign-on works again.",
    ),
    Mistake(
        "W005",
        mistakes.tokens_in_clear,
        "ESTUARY_API_URL is plain http to another machine: tokens cross the network in clear.",
        "Give the node's https address, and take ESTUARY_ALLOW_HTTP out.",
    ),
    Mistake(
        "W006",
        mistakes.sandbox_in_public,
        "SANDBOX is on: every page says that nothing here is real.",
        "Take SANDBOX out of the environment.",
    ),
    Mistake(
        "W007",
        mistakes.open_data,
        "DATA_DIR can be read by other users of this machine.",
        "Run `chmod 700` on it; the database in it holds sessions and password hashes.",
    ),
    Mistake(
        "W008",
        mistakes.open_redis,
        "REDIS_URL is another machine's without a password: whoever reaches it undoes throttles.",
        "Set a password there (`requirepass`), and put it into REDIS_URL.",
    ),
]
