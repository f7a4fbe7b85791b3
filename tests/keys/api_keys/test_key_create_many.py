"""Several keys from a list of labels: exactly once, an outcome for each, tokens shown once."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.api_keys import conclusions, create_many
from keys.api_keys.create_many import variable_of
from keys.models import AuditEntry, KeyCreation, KeyNote
from keys.policy.patterns import LabelPattern
from keys.policy.rules import Policy
from keys.sandbox import Fault, Sandbox
from keys.upstream import CreatedKey, EstuaryClient, KeySpec, hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, labels_at, words_of

URL = "/keys/new/many/"


def fields(client: Client, labels: str, **more: str) -> dict[str, str]:
    page = client.get(URL).content.decode()
    nonce = page.split('name="nonce" value="')[1].split('"')[0]
    chosen = {"labels": labels, "lifetime": "30d", "permission": "upload", "nonce": nonce}
    return chosen | more


def text_of(response: Any, name: str) -> str:
    return str(
        re.search(
            rf'<textarea[^>]* id="{name}"[^>]*>(.*?)</textarea>', response.content.decode(), re.S
        )[1]  # type: ignore[index]
    )


def outcomes(response: Any) -> list[str]:
    return re.findall(r'data-outcome="([^"]*)"', response.content.decode())


def test_the_page_asks_for_labels_and_asks_estuary_nothing(browser: Client, node: Sandbox) -> None:
    assert "Labels, one a line" in words_of(browser.get(URL))
    assert node.requests == []


def test_each_label_becomes_a_key_and_the_tokens_are_shown(browser: Client, node: Sandbox) -> None:
    response = browser.post(URL, fields(browser, "one\n\n  two \nthree\n"))

    assert labels_at(node) == ["console", "one", "three", "two"]
    assert "3 of 3 keys created: copy the tokens now" in words_of(response)
    tokens = {key.label: token for token, key in node.state.keys.items()}
    assert text_of(response, "all-env").splitlines() == [
        f"ESTUARY_TOKEN_ONE={tokens['one']}",
        f"ESTUARY_TOKEN_TWO={tokens['two']}",
        f"ESTUARY_TOKEN_THREE={tokens['three']}",
    ]
    rows = list(csv.DictReader(io.StringIO(text_of(response, "all-csv"))))
    assert [(row["label"], row["token"]) for row in rows] == [
        (label, tokens[label]) for label in ("one", "two", "three")
    ]
    assert {record.token_hash for record in KeyCreation.objects.all()} == {
        hash_of(tokens[label]) for label in ("one", "two", "three")
    }
    assert asked(node).count("GET /user/api-keys") == 2  # before and after
    assert AuditEntry.objects.filter(action="key:created", outcome="done").count() == 3


def test_a_second_submit_makes_no_keys_and_shows_no_tokens(browser: Client, node: Sandbox) -> None:
    data = fields(browser, "one\ntwo")
    first = browser.post(URL, data)
    tokens = re.findall(r"EST[0-9a-f-]{36}ARY", first.content.decode())

    second = browser.post(URL, data)

    assert labels_at(node) == ["console", "one", "two"]
    assert "This form was sent before" in words_of(second)
    assert outcomes(second) == ["created", "created"]
    assert not any(token in second.content.decode() for token in tokens)


def test_a_part_answers_htmx(browser: Client) -> None:
    response = browser.post(URL, fields(browser, "one"), headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-created-many"')


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("", "Write a label for each key"),
        ("a\nb\na", "Line 1: This label is there twice"),
        ("\n".join(f"key {number}" for number in range(51)), "These are 51 labels"),
        ("a\n" + "x" * 201, "Line 2: A label has 200 characters at the most"),
        ("a\nb\x07", "Line 2: A label cannot hold line breaks or control characters"),
        ("a\n\u200b", "Line 2: This label has no visible character"),
    ],
)
def test_what_cannot_be_created_is_said_with_its_line(
    browser: Client, node: Sandbox, labels: str, sentence: str
) -> None:
    response = browser.post(URL, fields(browser, labels))

    assert sentence in words_of(response)
    assert labels_at(node) == ["console"]


def test_no_token_is_taken_for_a_label(browser: Client, node: Sandbox, token: str) -> None:
    response = browser.post(URL, fields(browser, f"one\n{token}"))

    assert token not in response.content.decode()
    assert labels_at(node) == ["console"]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(label_pattern=LabelPattern("ci-[a-z]+"), label_example="ci-web"),
        Policy(max_keys=2),
        Policy(is_purpose_required=True),
    ],
)
def test_the_policy_holds_for_each_key(
    browser: Client, node: Sandbox, monkeypatch: Any, policy: Policy
) -> None:
    for module in ("keys.api_keys.views.key_create_many", "keys.policy.enforce"):
        monkeypatch.setattr(f"{module}.current_policy", lambda: policy)

    browser.post(URL, fields(browser, "one\ntwo"))

    assert labels_at(node) == ["console"]


def test_the_purpose_is_kept_for_each_key(browser: Client) -> None:
    browser.post(URL, fields(browser, "one\ntwo", purpose="sensors"))

    assert [note.purpose for note in KeyNote.objects.all()] == ["sensors"] * 2


def test_a_lost_answer_is_told_from_the_others(browser: Client, node: Sandbox) -> None:
    data = fields(browser, "one\ntwo\nthree")
    node.set_fault("create", Fault("500-after", times=1))

    response = browser.post(URL, data)

    assert outcomes(response) == ["lost", "created", "created"]
    assert "2 of 3 keys created" in words_of(response)


def test_a_good_key_is_not_called_lost_on_a_node_without_labels(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(generation="vintage", rate_limit=None) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        connect(alice, node.add_key(node.add_user("alice"), label="console"))
        member = signed_in(alice)
        data = fields(member, "one\ntwo")
        ask = EstuaryClient.create_key

        def second_answer_is_lost(client: EstuaryClient, spec: KeySpec) -> CreatedKey:
            if spec.label == "two":
                node.set_fault("create", Fault("reset-before", times=1))
            return ask(client, spec)

        monkeypatch.setattr(EstuaryClient, "create_key", second_answer_is_lost)

        response = member.post(URL, data)

    assert outcomes(response) == ["created", "not-created"]
    assert list(KeyCreation.objects.values_list("token_hash", flat=True)).count("") == 1


def test_after_a_refusal_nothing_more_is_tried(browser: Client, node: Sandbox) -> None:
    data = fields(browser, "one\ntwo\nthree")
    node.set_fault("create", Fault("429", times=1))

    response = browser.post(URL, data)

    assert outcomes(response) == ["not-created"] * 3
    assert labels_at(node) == ["console"]
    assert "Estuary is busy" in words_of(response)
    assert asked(node).count("POST /user/api-keys") == 1


def test_a_node_that_makes_nothing_is_noticed(browser: Client, node: Sandbox) -> None:
    data = fields(browser, "one\ntwo")
    node.set_fault("create", Fault("silent-ok", times=1))

    assert outcomes(browser.post(URL, data)) == ["unlisted", "created"]


def test_estuary_away_creates_nothing(browser: Client, node: Sandbox) -> None:
    data = fields(browser, "one\ntwo")
    node.set_fault("list", Fault("500"))

    response = browser.post(URL, data)

    assert "No key was created." in words_of(response)
    assert not KeyCreation.objects.exists()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("web uploader", "ESTUARY_TOKEN_WEB_UPLOADER"),
        ("ci-1.2", "ESTUARY_TOKEN_CI_1_2"),
        ("גיבוי", "ESTUARY_TOKEN"),
    ],
)
def test_a_label_gives_the_name_of_a_variable(label: str, name: str) -> None:
    assert variable_of(label) == name


@pytest.mark.parametrize("label", ["=cmd()", "\uff1dcmd()", "\ufe63cmd()", "@cmd()"])
def test_a_label_is_no_formula_in_the_csv(browser: Client, label: str) -> None:
    response = browser.post(URL, fields(browser, label))

    assert f"&#x27;{label}" in text_of(response, "all-csv")


def test_a_database_that_is_away_at_the_end_holds_the_tokens_up_only_once(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fields(browser, "one\ntwo\nthree")
    writes: list[str] = []
    monkeypatch.setattr(conclusions, "write_surely", lambda _, name: writes.append(name))

    response = browser.post(URL, data)

    assert len(re.findall(r"EST[0-9a-f-]{36}ARY", text_of(response, "all-env"))) == 3
    assert outcomes(response) == ["created"] * 3
    assert len(writes) == 1  # each may wait for seconds


def test_a_second_submit_waits_for_the_first(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fields(browser, "one\ntwo")
    browser.post(URL, data)
    record = KeyCreation.objects.get(label="two")
    KeyCreation.objects.filter(pk=record.pk).update(outcome="requested", token_hash="")

    def conclude() -> None:
        record.save()

    monkeypatch.setattr(create_many, "release_connection", conclude)

    assert outcomes(browser.post(URL, data)) == ["created", "created"]


def test_a_second_submit_does_not_wait_for_a_first_that_died(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fields(browser, "one\ntwo")
    browser.post(URL, data)
    KeyCreation.objects.filter(label="two").update(
        outcome="requested", token_hash="", requested_at=timezone.now() - timedelta(minutes=5)
    )
    monkeypatch.setattr(create_many, "release_connection", None)  # would fail if it waited

    assert outcomes(browser.post(URL, data)) == ["created", "requested"]


def test_fifty_labels_of_the_greatest_length_are_accepted(browser: Client, node: Sandbox) -> None:
    labels = [f"{number:03}{'x' * 197}" for number in range(50)]

    response = browser.post(URL, fields(browser, "\r\n".join(labels)))

    assert outcomes(response) == ["created"] * 50


def test_no_key_is_begun_whose_answer_could_come_too_late(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_many, "RESERVED_SHARE", 1)  # all time is over at once

    response = browser.post(URL, fields(browser, "one\ntwo"))

    assert outcomes(response) == ["not-created"] * 2
    assert words_of(response).count("No time was left for it") == 2
    assert "POST /user/api-keys" not in asked(node)


def test_a_form_of_another_session_creates_nothing_and_keeps_the_input(
    browser: Client, node: Sandbox
) -> None:
    response = browser.post(URL, fields(browser, "one\ntwo", nonce="x" * 40))

    assert "one\ntwo" in response.content.decode()
    assert labels_at(node) == ["console"]
    assert not KeyCreation.objects.exists()
    assert 'role="alert"' in response.content.decode()


@pytest.mark.parametrize("changes_per_minute", [60, 1])
def test_two_submits_at_once_make_each_key_once(
    browser: Client,
    node: Sandbox,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    changes_per_minute: int,
) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = changes_per_minute
    data = fields(browser, "one\ntwo")
    browser.post(URL, data)
    found = create_many._created_before
    looks = iter([lambda *_: None, found])  # the first look was before the other's claim
    monkeypatch.setattr(create_many, "_created_before", lambda *asked: next(looks)(*asked))

    response = browser.post(URL, data)

    assert outcomes(response) == ["created", "created"]
    assert not re.search(r"EST[0-9a-f-]{36}ARY", response.content.decode())
    assert labels_at(node) == ["console", "one", "two"]


def test_without_a_list_afterwards_the_tokens_are_shown_with_a_doubt(
    browser: Client, node: Sandbox
) -> None:
    data = fields(browser, "one\ntwo")
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    response = browser.post(URL, data)

    assert outcomes(response) == ["created", "created"]
    assert len(re.findall(r"EST[0-9a-f-]{36}ARY", text_of(response, "all-env"))) == 2
    assert "Estuary failed while working on this" in words_of(response)


def test_labels_that_give_one_name_of_a_variable_get_two(browser: Client) -> None:
    response = browser.post(URL, fields(browser, "web up\nweb-up\nweb.up"))

    names = re.findall(r"^(\w+)=EST", text_of(response, "all-env"), re.M)
    name = "ESTUARY_TOKEN_WEB_UP"
    assert names == [name, f"{name}_2", f"{name}_3"]
