"""No token is shown, stored, logged or put into a URL where it need not be."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django.utils.log import AdminEmailHandler

from estuary_admin.members import ADMINS
from keys.api_keys.bulk_work import work_off_changes
from keys.api_keys.rotation_end import end_due
from keys.exports.comparing import compare_due
from keys.exports.forms_of_export import FORMS
from keys.exports.preparing import prepare_due
from keys.jobs import workers
from keys.jobs.queues import long, wake
from keys.models import BulkItem, Message, PreparedExport, Reminders, Rotation
from keys.notices.choices import feed_secret_of
from keys.notices.outbox import deliver_due
from keys.notices.reminding import remind_due
from keys.sandbox import Fault, Sandbox
from keys.upstream import hash_of
from tests.conftest import PASSWORD
from tests.faults.matrix import FAULTS
from tests.security.spellings import assert_holds_none
from tests.security.witness import LogWitness, WatchedClient, everything_kept, watched_logs

pytestmark = pytest.mark.django_db(transaction=True)

#: Leaves a wake-up in the queue, which the hunt then reads.
WAKEABLE = long.task(name="hunted")(lambda _: None)


@pytest.fixture
def logs(settings: Any) -> Iterator[LogWitness]:
    """Everything at DEBUG, and crashes reported by mail as in production."""
    settings.ADMINS = [("operator", "operator@example.com")]
    mailer = AdminEmailHandler(include_html=True)
    mailer.setLevel(logging.ERROR)
    with watched_logs(mailer) as witness:
        yield witness


class Job:
    """The whole job at one node, and the tokens that occur in it."""

    def __init__(self, node: Sandbox, seen: list[tuple[str, str]]) -> None:
        self.node = node
        self.seen = seen
        User.objects.filter(username="alice").update(email="alice@example.com")
        self.account = node.add_user("alice", contents=3)
        self.token = node.add_key(self.account, label="console")
        node.add_key(self.account, label="upload", permission="upload")
        node.add_key(self.account, label="gone", lifetime=timedelta(days=-2))
        self.legacy = node.add_key(self.account, label="old", era="legacy")
        node.add_key(self.account, label="between", era="transitional")
        self.tokens = set(node.state.keys)
        self.browser = WatchedClient(seen, raise_request_exception=False)

    def do(self) -> None:
        self.sign_in()
        self.connect()
        for path in ("/keys/", "/keys/?q=old", "/stats/", "/exports/", "/account/"):
            self.browser.get(path)
        for token in list(self.tokens):
            self.browser.get(f"/keys/{hash_of(token)}/")
            self.browser.get(f"/keys/{hash_of(token)}/revoke/")
        self.browser.get("/keys/", {"q": self.token}, follow=True)
        self.create()
        self.browser.post(f"/keys/{hash_of(self.legacy)}/revoke/", follow=True)
        self.browser.post("/keys/revoke-expired/", follow=True)
        self.browser.post("/exports/download/")
        self.export_as_admin()
        self.prepare_export()
        self.annotate()
        self.find()
        self.create_many()
        self.change_many()
        self.rotate()
        self.be_reminded()
        self.suffer()
        self.browser.post("/account/token/disconnect/", {"revoke": "on"}, follow=True)
        self.browser.post("/accounts/logout/")

    def annotate(self) -> None:
        """Tokens pasted into every field of a note, of a new key, and of reminders."""
        url = f"/keys/{hash_of(self.token)}/note/"
        for name in ("display_name", "purpose", "system", "contact", "note"):
            self.browser.post(url, {name: f"use {self.token}"})
            self.browser.post(url, {name: "kept"})
        self.browser.get(url)
        self.browser.get("/keys/", {"q": "kept"})
        self.browser.get("/audit/")
        self.browser.post("/keys/new/", {"label": "x", "purpose": self.token})
        self.browser.post("/account/reminders/", {"webhook_url": f"https://x.test/{self.token}"})

    def find(self) -> None:
        """Tokens pasted to find their owner, whole, broken and among text; one is asked about."""
        everything = "\n".join(f"T={token}" for token in sorted(self.tokens))
        wrapped = f"{self.token[:20]}\n{self.token[20:]}"
        for text in (everything, wrapped, self.token[:-4], f"{self.token}\0", "x" * 300_000):
            self.browser.post("/keys/find/", {"text": text})
        self.browser.post("/keys/find/", {"text": everything, "ask": "1"})
        self.browser.post("/keys/find/", {"text": self.token, "ask": "1"})
        for fault in ("401-unknown", "500", "reset-after", "html"):
            self.node.set_fault("stats", Fault(fault))
            self.browser.post("/keys/find/", {"text": self.token, "ask": "1"})
            self.node.clear_faults()
        revoke = f"/keys/{hash_of(self.token)}/revoke/"
        self.browser.post(revoke, {"incident": f"in a log: {self.token}"})

    def create_many(self) -> None:
        page = self.browser.get("/keys/new/many/").content.decode()
        nonce = page.split('name="nonce" value="')[1].split('"')[0]
        data = {"lifetime": "30d", "permission": "all", "nonce": nonce}
        self.browser.post("/keys/new/many/", data | {"labels": f"one\n{self.token}"})
        self.browser.post("/keys/new/many/", data | {"labels": "one of many\ntwo of many"})
        self._take_created_page(2)
        self.tokens |= set(self.node.state.keys)
        self.browser.post("/keys/new/many/", data | {"labels": "one of many\ntwo of many"})

    def change_many(self) -> None:
        """A change that the worker carries out, of keys whose labels hold tokens."""
        tokens = [
            self.node.add_key(self.account, label=f"bulk {self.token if number % 2 else number}")
            for number in range(12)
        ]
        self.tokens |= set(tokens)
        for action in ("note", "revoke"):
            chosen = {"action": action, "key": [hash_of(token) for token in tokens]}
            page = self.browser.post("/keys/bulk/", chosen).content.decode()
            url = page.split('action="/keys/bulk/')[1].split('"')[0]
            self.browser.post(f"/keys/bulk/{url}", {"purpose": f"see {self.token}"})
            self.browser.post(f"/keys/bulk/{url}", {"purpose": "kept"})
            workers.register()
            work_off_changes()
            workers.unregister()
            self.browser.get(f"/keys/bulk/{url}")
        revoked = BulkItem.objects.filter(outcome="revoked", change__is_expired_only=False)
        assert revoked.count() == 12

    def rotate(self) -> None:
        """One key for another; the worker ends the old one, or the member does."""
        for label in ("by the worker", "by its member"):
            old = self.node.add_key(self.account, label=label)
            self.tokens.add(old)
            url = f"/keys/{hash_of(old)}"
            self.rotate_key(old, label=self.token, purpose=self.token)
            assert self.rotate_key(old).status_code == 200
            self._take_created_page()
            self.tokens |= set(self.node.state.keys)
            for path in ("", "/rotate", "/rotation"):
                self.browser.get(f"{url}{path}/")
            data = {"overlap": "custom", "custom_overlap": self.token}
            self.browser.post(f"{url}/rotation/", data)
            if label == "by the worker":
                Rotation.objects.update(ends_at=timezone.now(), due_at=timezone.now())
                workers.register()
                end_due()
                workers.unregister()
            else:
                self.browser.post(f"{url}/rotation/", {"overlap": "now"})
            assert old not in self.node.state.keys
            self.browser.get(f"/keys/{Rotation.objects.latest('pk').new_hash}/")

    def rotate_key(self, old: str, **changes: str) -> Any:
        url = f"/keys/{hash_of(old)}/rotate/"
        page = self.browser.get(url).content.decode()
        nonce = page.split('name="nonce" value="')[1].split('"')[0]
        data = {"label": "rotated", "lifetime": "30d", "permission": "all", "overlap": "24h"}
        return self.browser.post(url, data | {"nonce": nonce} | changes)

    def leave_candidate(self) -> None:
        """The console's own key is rotated, and Estuary does not say whether the new one works."""
        own = self.node.add_key(self.account, label="own")
        self.tokens.add(own)
        self.browser.post("/account/token/", {"token": own})
        self.node.set_fault("stats", Fault("500"))
        self.rotate_key(own)
        self._take_created_page()
        self.tokens |= set(self.node.state.keys)
        for path in ("", "/rotation"):
            self.browser.get(f"/keys/{hash_of(own)}{path}/")
        workers.register()
        end_due()
        workers.unregister()
        self.node.clear_faults()
        assert Rotation.objects.exclude(sealed_candidate="").exists()

    def be_reminded(self) -> None:
        """The worker's look, its messages, the feed and the queue, with a token as a label."""
        own = self.node.add_key(self.account, label="named by its token", lifetime=timedelta(1))
        named = self.node.add_key(self.account, label=f"is {own}", lifetime=timedelta(days=1))
        self.tokens |= {own, named}
        reminders = "/account/reminders/"
        self.browser.post(reminders, {"days": ["30"], "webhook_url": "https://127.0.0.1:9/"})
        for button in ("test", "create_feed"):
            self.browser.post(reminders, {button: "1"}, follow=True)
        secret = feed_secret_of(Reminders.objects.get())
        WatchedClient(self.seen).get(f"/feeds/{secret}/keys.ics")
        self.browser.get(f"/keys/{hash_of(named)}/ends.ics")
        workers.register()
        remind_due()
        deliver_due()
        workers.unregister()
        assert Message.objects.filter(kind="keys.ending").exists()
        wake(WAKEABLE, Message.objects.latest("pk").pk)
        self.browser.get(reminders)

    def export_as_admin(self) -> None:
        admin = User.objects.create_user("carol", password=PASSWORD)
        admin.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
        browser = WatchedClient(self.seen)
        browser.force_login(admin)
        browser.get("/exports/")
        data = {"member": str(User.objects.get(username="alice").pk)}
        assert browser.post("/exports/download/", data).streaming

    def prepare_export(self) -> None:
        """By the worker, once well and once with each kind of trouble; the pages and notices."""
        workers.register()
        for fault in (None, Fault("500"), Fault("401-expired"), Fault("truncated-json")):
            if fault:
                self.node.set_fault("export", fault)
            page = self.browser.post("/exports/prepare/")["Location"]
            prepare_due()
            for path in ("", "manifest.json", *(f"file/?form={form}" for form in FORMS)):
                self.browser.get(f"{page}{path}")
            self.node.clear_faults()
        self.browser.post("/exports/prepare/")
        prepare_due()
        numbers = PreparedExport.objects.filter(state="ready").values_list("number", flat=True)
        pair = dict(zip(("old", "new"), map(str, numbers), strict=True))
        self.browser.post("/exports/compare/", pair, follow=True)
        compare_due()
        self.browser.get("/exports/compare/", pair)
        self.browser.get("/exports/compare/list/", pair)
        workers.unregister()
        self.browser.get("/exports/")

    def sign_in(self) -> None:
        for login, password in (
            (self.token, PASSWORD),
            ("alice", self.token),
            ("alice", PASSWORD),
        ):
            self.browser.post("/accounts/login/", {"login": login, "password": password})

    def connect(self) -> None:
        for wrong in (self.token[:-4], f"{self.token} {self.token}", self.token.lower()):
            self.browser.post("/account/token/", {"token": wrong})
        self.connect_late()
        self.browser.post("/account/token/", {"token": f'"Bearer {self.token}"'})

    def connect_late(self) -> None:
        """A proof runs out between opening the form and sending it: the token is kept sealed."""
        session = self.browser.session
        session["proved_at"] -= 24 * 3600
        session.save()
        asked = self.browser.post("/account/token/", {"token": self.token})
        assert asked["Location"].startswith("/accounts/reauthenticate/")
        self.browser.get(asked["Location"])
        proof = {"way": "password", "password": PASSWORD, "next": "/account/token/"}
        self.browser.post("/accounts/reauthenticate/", proof, follow=True)
        assert self.browser.post("/account/token/", {"token": ""})["Location"] == "/keys/"

    def create(self, label: str = "made") -> Any:
        page = self.browser.get("/keys/new/").content.decode()
        nonce = page.split('name="nonce" value="')[1].split('"')[0]
        data = {"label": label, "lifetime": "30d", "permission": "all", "nonce": nonce}
        response = self.browser.post("/keys/new/", data)
        self._take_created_page()
        self.tokens |= set(self.node.state.keys)
        self.browser.post("/keys/new/", data)
        return response

    def _take_created_page(self, most: int = 1) -> None:
        """The one response that may hold tokens: its own, and no other ones."""
        where, page = self.seen.pop()
        own = set(re.findall(r"EST[0-9a-f-]{36}ARY", page))
        assert len(own) <= most
        assert not own & self.tokens
        self.tokens |= own
        self.seen.append((where, re.sub(r"EST[0-9a-f-]{36}ARY", "", page)))

    def suffer(self) -> None:
        """Every fault at every page."""
        for name, fault in FAULTS.items():
            if name in {"never answering", "late", "dripping", "dripping body"}:
                continue  # what they show is what a timeout shows; see tests/faults
            for path in ("/keys/", "/stats/", "/account/"):
                self.node.set_fault("any", fault("http://127.0.0.1:9/"))
                self.browser.get(path)
            self.browser.post("/exports/download/")
            self.browser.post("/account/token/", {"token": self.token})
            self.node.clear_faults()
            self.node.set_fault("create", fault("http://127.0.0.1:9/"))
            self.create(f"under {name}")
            self.node.set_fault("revoke", fault("http://127.0.0.1:9/"))
            self.browser.post(f"/keys/{hash_of(self.legacy)}/revoke/", follow=True)
            self.node.clear_faults()


def crash(*_: object, **__: object) -> None:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
def test_no_token_is_found_anywhere(
    settings: Any, logs: LogWitness, monkeypatch: pytest.MonkeyPatch, generation: str
) -> None:
    seen: list[tuple[str, str]] = []
    settings.ESTUARY_TIMEOUT = settings.ESTUARY_EXPORT_TIMEOUT = 2
    settings.HAS_MAIL_SERVER = True  # pytest-django keeps the mails
    settings.MEMBER_CHANGES_PER_MINUTE = 10_000  # or most of what follows would not be done
    monkeypatch.setattr("keys.upstream.node._RETRY_PAUSES", (0.01, 0.01))
    User.objects.create_user("alice", password=PASSWORD)
    with Sandbox(generation=generation, rate_limit=None) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        job = Job(node, seen)
        job.do()
        job.sign_in()
        job.leave_candidate()
        with monkeypatch.context() as broken:
            broken.setattr("keys.token.stored_tokens.forget_list", crash)
            again = node.add_key(job.account, label="again")
            job.tokens.add(again)
            job.browser.post("/account/token/", {"token": again})
            broken.setattr("keys.api_keys.find.rows_of", crash)
            job.browser.post("/keys/find/", {"text": again})

    tokens = sorted(job.tokens)
    assert any("500" in line for line in logs.lines)  # the crash was reported
    for where, text in [*seen, *everything_kept().items()]:
        assert_holds_none(text, tokens, where)
    assert_holds_none("\n".join(logs.lines), tokens)
    for request in node.requests:
        if request.method == "DELETE" and may_hold_its_token(request.target, job, generation):
            continue
        assert_holds_none(request.target, tokens)


def may_hold_its_token(target: str, job: Job, generation: str) -> bool:
    """A row that Estuary knows by no hash can be revoked by its token alone."""
    return generation != "current" or target.endswith(job.legacy)
