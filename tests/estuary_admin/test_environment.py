"""Variables are typed; a wrong value raises a sentence."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env


def test_surrounding_whitespace_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_NAME", "  value \n")

    assert env.text("A_NAME") == "value"
    assert "A_NAME" in env.names_read


def test_a_secret_may_begin_with_a_dollar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "$2y$10$abc\\$d")

    assert env.text("A_SECRET") == "$2y$10$abc\\$d"


def test_a_value_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("KEPT_IN_A_FILE", "from the environment")
    monkeypatch.setenv("KEPT_IN_A_FILE_FILE", str(file))

    assert env.text("KEPT_IN_A_FILE") == "from the file"


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IN_NO_FILE_FILE", str(tmp_path / "missing"))

    with pytest.raises(ImproperlyConfigured, match=r"^IN_NO_FILE_FILE cannot be read: No such"):
        env.text("IN_NO_FILE")


def test_a_binary_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    monkeypatch.setenv("IN_BYTES_FILE", str(file))

    with pytest.raises(ImproperlyConfigured, match=r"^IN_BYTES_FILE cannot be read"):
        env.text("IN_BYTES")


def test_a_missing_value_names_both_variables() -> None:
    with pytest.raises(ImproperlyConfigured, match="Set NEVER_SET or NEVER_SET_FILE"):
        env.text("NEVER_SET")


def test_words_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_WORDS", " one, two,, three ")

    assert env.words("SOME_WORDS") == ["one", "two", "three"]
    assert env.words("NEVER_SET") == []


def test_flags_accept_true_and_false_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FLAG", "TRUE")

    assert env.flag("A_FLAG", default=False)
    assert not env.flag("NEVER_SET", default=False)


def test_a_choice_is_accepted_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_LEVEL", "warning")

    assert env.one_of("A_LEVEL", ["INFO", "WARNING"], "INFO") == "WARNING"


def test_networks_include_single_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_NETWORKS", "10.0.0.5,fd00::/8")

    assert env.networks("SOME_NETWORKS") == [ip_network("10.0.0.5/32"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    "address", ["http://localhost:8000/", "http://127.0.0.2", "http://[::1]:1", "https://a.example"]
)
def test_http_is_accepted_for_this_machine(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AN_ADDRESS", address)

    assert env.url("AN_ADDRESS", "").geturl() == address.rstrip("/")


def test_http_to_other_machines_must_be_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AN_ADDRESS", "http://node.example")

    with pytest.raises(ImproperlyConfigured, match="plain http is for this machine only"):
        env.url("AN_ADDRESS", "")
    assert env.url("AN_ADDRESS", "", http_anywhere=True).hostname == "node.example"


@pytest.mark.parametrize(
    "address",
    [
        "example.com",
        "ftp://example.com",
        "https://",
        "https://example.com?q=1",
        "https://example.com#top",
        "https://[::1",
        "https://example.com:99999",
        "https://example.com:port",
    ],
)
def test_an_invalid_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AN_ADDRESS", address)

    with pytest.raises(ImproperlyConfigured, match=r"^AN_ADDRESS is '.*give an address such as"):
        env.url("AN_ADDRESS", "")


def test_a_password_in_an_address_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AN_ADDRESS", "https://me:hunter2@example.com")

    with pytest.raises(ImproperlyConfigured, match="AN_ADDRESS must not hold") as raised:
        env.url("AN_ADDRESS", "")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("read", "value", "right"),
    [
        (lambda: env.flag("WRONG", default=True), "yes", "true or false"),
        (lambda: env.seconds("WRONG", 15), "soon", "a number of seconds such as 15"),
        (lambda: env.seconds("WRONG", 15), "0", "between 0 and 86400"),
        (lambda: env.seconds("WRONG", 15), "nan", "between 0 and 86400"),
        (lambda: env.seconds("WRONG", 15), "inf", "between 0 and 86400"),
        (lambda: env.count("WRONG", 2), "two", "a whole number from 1"),
        (lambda: env.count("WRONG", 2), "0", "a whole number from 1"),
        (lambda: env.one_of("WRONG", ["text", "json"], "text"), "xml", "one of text, json"),
        (lambda: env.networks("WRONG"), "10.0.0.1/24", "addresses or networks"),
    ],
)
def test_a_wrong_value_is_named_beside_a_right_one(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str, right: str
) -> None:
    monkeypatch.setenv("WRONG", value)

    with pytest.raises(ImproperlyConfigured, match=f"^WRONG is '{value}'; give .*{right}"):
        read()
