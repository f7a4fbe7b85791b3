"""Variables are typed; a wrong value raises a sentence."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_not_a_missing_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    monkeypatch.setenv("NOT_MOUNTED", "from the environment")
    monkeypatch.setenv("NOT_MOUNTED_FILE", str(file))

    with pytest.raises(ImproperlyConfigured, match=r"^NOT_MOUNTED_FILE is empty"):
        env.text("NOT_MOUNTED", "")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa-secret\r\n", b"\xef\xbb\xbf a-secret \n"])
def test_a_byte_order_mark_is_no_part_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    monkeypatch.setenv("FROM_NOTEPAD_FILE", str(file))

    assert env.text("FROM_NOTEPAD") == "a-secret"


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IN_NO_FILE_FILE", str(tmp_path / "missing"))

    with pytest.raises(ImproperlyConfigured, match=r"^IN_NO_FILE_FILE cannot be read: No such"):
        env.text("IN_NO_FILE")


def test_a_binary_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    monkeypatch.setenv("IN_BYTES_FILE", str(file))

    for content in (b"\xff\xfe", "a-secret".encode("utf-16"), "a-secret".encode("utf-16-le")):
        file.write_bytes(content)
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


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://[2001:DB8:0::5]", "https://[2001:db8::5]"),
        ("https://[2001:db8::5]:8443/estuary/", "https://[2001:db8::5]:8443/estuary"),
        ("https://KEYS.Example.com:443", "https://keys.example.com"),
        ("https://keys.example.com.", "https://keys.example.com"),
        ("https://schlüssel.example", "https://xn--schlssel-95a.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_a_host_is_written_as_browsers_write_it(
    monkeypatch: pytest.MonkeyPatch, given: str, read: str
) -> None:
    monkeypatch.setenv("AN_ADDRESS", given)

    assert env.url("AN_ADDRESS", "").geturl() == read


@pytest.mark.parametrize(
    "path",
    [
        "/a b", "/$(id)", "/`id`", "/a'b", '/a"b', "/a;b", "/a|b", "/a&b", "/a\\b", "/<b>", "/a*",
        "/{a}", "/..", "/a/../b", "/a!b", "/é", "/%2e%2E/b", "/%zz", "/a%", "/a\tb", "/a\nb",
    ],
)  # fmt: skip
def test_a_path_with_characters_of_the_shell_is_refused(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("AN_ADDRESS", f"https://node.example/api{path}")

    with pytest.raises(ImproperlyConfigured, match=r"^AN_ADDRESS is "):
        env.url("AN_ADDRESS", "")


@pytest.mark.parametrize(
    "host",
    [
        "a b", "$(id)", "a_b;c", "a'b", "-", "a..b", "x" * 70, "a\tb", "127.1", "0x7f.1", "a.1",
        "[fe80::1%25eth0]",
    ],
)  # fmt: skip
def test_a_host_with_characters_of_the_shell_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("AN_ADDRESS", f"https://{host}/")

    with pytest.raises(ImproperlyConfigured, match=r"^AN_ADDRESS is "):
        env.url("AN_ADDRESS", "")


@pytest.mark.parametrize("path", ["/estuary", "/a/b-c_d.e~f", ""])
def test_the_console_may_have_a_path(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("AN_ADDRESS", f"https://example.org{path}/")

    assert env.public_url("AN_ADDRESS", "").path == path


@pytest.mark.parametrize("path", ["/caf%C3%A9", "/a=b", "/a,b", "//a"])
def test_a_path_that_a_cookie_cannot_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("AN_ADDRESS", f"https://example.org{path}")

    with pytest.raises(ImproperlyConfigured, match="letters, digits and"):
        env.public_url("AN_ADDRESS", "")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("keys.example.com, LOCALHOST", ["keys.example.com", "localhost"]),
        ("*,.Example.com", ["*", ".example.com"]),
        ("2001:DB8::5,[::1]", ["[2001:db8::5]", "[::1]"]),
        ("schlüssel.example", ["xn--schlssel-95a.example"]),
    ],
)
def test_hosts_are_written_as_requests_name_them(
    monkeypatch: pytest.MonkeyPatch, given: str, read: list[str]
) -> None:
    monkeypatch.setenv("SOME_HOSTS", given)

    assert env.hosts("SOME_HOSTS", "") == read


@pytest.mark.parametrize(
    "host", ["https://keys.example.com", "keys.example.com:8000", "a/b", "a b"]
)
def test_a_host_that_no_request_can_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("SOME_HOSTS", host)

    with pytest.raises(ImproperlyConfigured, match="without scheme and port"):
        env.hosts("SOME_HOSTS", "")


POSTGRES = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (
            "postgres://u:p%23%2F%40%3A+@db.corp:5433/na%20me?sslmode=require",
            {
                "USER": "u",
                "PASSWORD": "p#/@:+",
                "HOST": "db.corp",
                "PORT": "5433",
                "NAME": "na me",
                "OPTIONS": {"sslmode": "require"},
            },
        ),
        ("postgres://u@%2Fvar%2FRun/db", {"USER": "u", "HOST": "/var/Run", "NAME": "db"}),
        ("postgresql:////var/run/db", {"HOST": "/var/run", "NAME": "db"}),
        ("postgres:///db?host=/var/run", {"NAME": "db", "OPTIONS": {"host": "/var/run"}}),
        ("postgres://[2001:db8::1]:5433/db", {"HOST": "2001:db8::1", "PORT": "5433", "NAME": "db"}),
        ("postgres://a:1,b:2/db", {"HOST": "a,b", "PORT": "1,2", "NAME": "db"}),
        ("postgres://a,b/db", {"HOST": "a,b", "NAME": "db"}),
    ],
)
def test_an_address_of_postgresql_is_decoded(
    monkeypatch: pytest.MonkeyPatch, address: str, found: dict[str, Any]
) -> None:
    monkeypatch.setenv("A_DATABASE", address)
    empty = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}

    assert env.database("A_DATABASE") == POSTGRES | empty | found


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:////x/da%23ta/a+b.sqlite3", "/x/da#ta/a+b.sqlite3"),
        ("sqlite:////x/100%2541", "/x/100%41"),
        ("sqlite:///relative/file", "relative/file"),
    ],
)
def test_an_address_of_sqlite_is_decoded(
    monkeypatch: pytest.MonkeyPatch, address: str, path: str
) -> None:
    monkeypatch.setenv("A_DATABASE", address)

    assert env.database("A_DATABASE") == {"ENGINE": "django.db.backends.sqlite3", "NAME": path}


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////x/da#ta",
        "sqlite:////x/da?ta",
        "sqlite://host/x",
        "sqlite://",
        "postgres://u:pa#ss@host/db",
        "postgres://u:pa/ss@host/db",
        "postgres://u:12/ss@host/db",
        "postgres://u:pa\tss@host/db",
        "postgres://host/db/",
        "postgres://host/db?pool=false",
        "sqlite:////x/",
        "sqlite:///:memory:",
        "sqlite:///file:x",
        "postgres://host",
        "postgres://host:99999/db",
        "postgres://host:0/db",
        "postgres://[::1/db",
        "postgres://host/db?sslmode",
        "mysql://host/db",
        "nonsense",
    ],
)
def test_an_address_that_would_be_misread_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("A_DATABASE", address)

    with pytest.raises(ImproperlyConfigured, match=r"^A_DATABASE must look like") as raised:
        env.database("A_DATABASE")
    assert "ss@host" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "redis://:pa#ss@host:6379/0", "redis://:1#x@host", "http://h", "redis://h/x",
        "redis://h/1/2", "redis://h:0", "redis://h?socket_timeout=x", "redis://h\t/0",
    ],
)  # fmt: skip
def test_an_address_of_redis_that_would_be_misread_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("A_REDIS", address)

    with pytest.raises(ImproperlyConfigured, match=r"^A_REDIS must look like"):
        env.redis("A_REDIS")


def test_a_folder_that_cannot_be_written_names_both_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("A_FOLDER", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    monkeypatch.setattr("os.getuid", lambda: 1234)
    owner = tmp_path.stat().st_uid

    with pytest.raises(ImproperlyConfigured) as raised:
        env.folder("A_FOLDER", Path("unused"))

    assert str(raised.value).startswith(
        f"A_FOLDER {tmp_path} cannot be written by uid 1234; it belongs to uid {owner}."
    )


def test_the_scheme_of_redis_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_REDIS", "REDIS://h:6379/3")

    assert env.redis("A_REDIS") == "redis://h:6379/3"


@pytest.mark.parametrize("address", ["smtp://h:0", "smtp://h?tls=1", "smtp://h#x", "smtp://\th"])
def test_an_address_of_a_mail_server_that_would_be_misread_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("A_SERVER", address)

    with pytest.raises(ImproperlyConfigured, match=r"^A_SERVER must look like"):
        env.mail_server("A_SERVER")


def test_a_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_FOLDER", "file:x")  # SQLite would read `file:x/…` as an address

    assert env.folder("A_FOLDER", Path("unused")) == tmp_path / "file:x"


@pytest.mark.parametrize("value", ["~/data", "~", "$HOME/data", "${HOME}/data"])
def test_a_path_that_only_a_shell_understands_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_FOLDER", value)

    with pytest.raises(ImproperlyConfigured, match="the whole path of a folder"):
        env.folder("A_FOLDER", Path("unused"))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()

    for path, sentence in [(file, "not a directory"), (file / "below", "cannot be created")]:
        monkeypatch.setenv("A_FOLDER", str(path))
        with pytest.raises(ImproperlyConfigured, match=sentence):
            env.folder("A_FOLDER", Path("unused"))


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
        "https://example.com:0",
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
        (lambda: env.seconds("WRONG", 15), "86401", "between 0 and 86400"),
        *(
            (lambda: env.seconds("WRONG", 15), value, "a number of seconds such as 15")
            for value in ("nan", "inf", "1e3", "1_000", "٣", "1 0")
        ),
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


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///~/keys.sqlite3",
        "sqlite:///$HOME/keys.sqlite3",
        "sqlite:////srv/a%00b",
        "postgres://u:p%FF@h/db",
        "postgres://u:p%0A@h/db",
        "postgres://u@h/db?foo=bar",
    ],
)
def test_a_database_that_no_driver_could_open_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)

    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must look like"):
        env.database("DATABASE_URL")


@pytest.mark.parametrize("query", ["foo=bar", "max_connections=x", "ssl_cert_reqs=none"])
def test_an_option_that_redis_does_not_know_is_refused(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://cache.example.com/0?{query}")

    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_URL must look like"):
        env.redis("REDIS_URL")


def test_a_certificate_option_of_redis_is_accepted_with_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "rediss://:secret@cache.example.com:6379/0?ssl_cert_reqs=none"
    monkeypatch.setenv("REDIS_URL", address)

    assert env.redis("REDIS_URL") == address


@pytest.mark.parametrize("password", ["p%FF", "p%0D%0A", "p%00"])
def test_a_mail_password_that_is_no_text_is_refused(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("EMAIL_URL", f"smtp://u:{password}@mail.example.com")

    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must look like"):
        env.mail_server("EMAIL_URL")


def test_a_number_of_thousands_of_digits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS", "1" * 5000)

    with pytest.raises(ImproperlyConfigured, match=r"^THREADS is"):
        env.count("THREADS", 4)


@pytest.mark.parametrize(
    "value",
    ["8000", "127.0.0.1", "127.0.0.1:abc", "[::1", "::1:8000", "h:70000", ":80,x", "unix:"],
)
def test_an_address_to_listen_at_needs_a_port(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("A_BIND", value)

    with pytest.raises(ImproperlyConfigured, match="; give an address and a port, such as"):
        env.bind_addresses("A_BIND", "127.0.0.1:8000")


@pytest.mark.parametrize(
    "value",
    [
        "[::]:8000",
        ":8000",
        "keys-1.example:8000",
        "unix:/run/x",
        "fd://3",
        "h:80,[fe80::1%eth0]:80",
    ],
)
def test_the_server_listens_at_ports_and_sockets(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("A_BIND", value)

    assert env.bind_addresses("A_BIND", "127.0.0.1:8000") == value


@pytest.mark.parametrize(
    "value", ["nobody", "<a@b.c", "a@", "a b@c.d", "a@b@c", "a@b.c\nX: y", "a@b.c;d@e.f"]
)
def test_what_is_no_mail_address_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOME_MAIL", value)

    with pytest.raises(ImproperlyConfigured, match="; give a mail address such as"):
        env.mail_addresses("SOME_MAIL")
    with pytest.raises(ImproperlyConfigured, match="; give a mail address such as"):
        env.mail_address("SOME_MAIL", "unused")


@pytest.mark.parametrize(
    "value", ["ops@console", "Estuary Admin <keys@example.com>", "keys@[IPv6:2001:db8::5]"]
)
def test_the_sender_of_mails_may_have_a_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOME_MAIL", value)

    assert env.mail_address("SOME_MAIL", "unused") == value


def test_several_mail_addresses_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_MAIL", "a@b.c, d@e.f,")

    assert env.mail_addresses("SOME_MAIL") == ["a@b.c", "d@e.f"]
