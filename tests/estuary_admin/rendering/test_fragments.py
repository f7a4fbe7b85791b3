"""Cached fragments look as if rendered for each request, and leak nothing between requests."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from estuary_admin.members import ADMINS

BAR = re.compile(r"<header.*?</header>", re.DOTALL)
MASKED = re.compile(r'value="\w{64}"')


@pytest.fixture
def members(db: None) -> dict[str, Client]:
    found = {}
    for name in ("alice", "bob", "<i>{name}</i>"):
        member = User.objects.create_user(name, password="correct horse battery")
        found[name] = Client()
        found[name].force_login(member)
    User.objects.get(username="bob").groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    return found


def bar_of(client: Client, path: str = "/account/") -> str:
    found = BAR.search(client.get(path).content.decode())
    assert found
    return found[0]


def test_each_member_sees_their_own_name_in_the_bar(members: dict[str, Client]) -> None:
    for _ in range(2):
        assert '<bdi class="menu-name">alice</bdi>' in bar_of(members["alice"])
        assert '<bdi class="menu-name">bob</bdi>' in bar_of(members["bob"])


def test_a_name_is_escaped(members: dict[str, Client]) -> None:
    assert "&lt;i&gt;{name}&lt;/i&gt;" in bar_of(members["<i>{name}</i>"])


def test_each_page_has_its_own_csrf_token(members: dict[str, Client]) -> None:
    [first] = MASKED.findall(bar_of(members["alice"]))
    [second] = MASKED.findall(bar_of(members["alice"]))

    assert first != second


def test_the_bar_marks_the_current_page(members: dict[str, Client]) -> None:
    for path, name in [("/exports/", "Exports"), ("/account/", "")]:
        current = re.findall(r'aria-current="page">(\w*)<', bar_of(members["alice"], path))
        assert current == ([name] if name else [])


def test_signed_out_visitors_get_a_bar_without_a_menu(members: dict[str, Client]) -> None:
    bar_of(members["alice"])

    assert "menu-name" not in bar_of(Client(), "/accounts/login/")


def test_a_page_without_a_form_sets_no_cookie(db: None) -> None:
    response = Client().get("/accounts/inactive/")

    assert "<form" not in response.content.decode()
    assert not response.cookies


def test_no_template_needs_its_indentation() -> None:
    """Templates are loaded without it, so text that keeps whitespace is written in one line."""
    keeps = re.compile(r"<(pre|textarea)\b(?:(?!</\1).)*\n", re.DOTALL)
    texts = {path: path.read_text() for path in (settings.BASE_DIR / "templates").rglob("*.html")}

    assert [path for path, text in texts.items() if keeps.search(text)] == []
    assert not re.search(r"\n +", Client().get("/accounts/login/").content.decode())
