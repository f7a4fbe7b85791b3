"""A session lasts as long as the proxy says the same, and not one request longer."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client

from estuary_admin.members import ADMINS
from estuary_admin.sso.config import Config
from estuary_admin.sso.models import Identity
from estuary_admin.sso.sessions import CLIENT_GROUPS
from keys.audit.vocabulary import Action
from keys.models import AuditEntry
from tests.conftest import HTMX, PASSWORD
from tests.estuary_admin.sso.conftest import Browser, change
from tests.estuary_admin.sso.test_proxy_header import refused_as
from tests.keys.evidence import last_row, words_of

PAGE = "/account/"
ADMIN_PAGE = "/admin-tools/sso/"


@pytest.fixture
def browser(proxied: Config) -> Browser:
    """Alice, who came in a moment ago."""
    browser = Browser("alice")
    assert browser.get(PAGE).status_code == 200
    return browser


def test_requests_without_a_cookie_share_one_session(proxied: Config) -> None:
    for number in range(60):
        response = Browser("alice").get(PAGE, headers={"User-Agent": f"probe/{number}"})
        assert response.status_code == 200

    assert Session.objects.count() <= CLIENT_GROUPS
    sign_ins = AuditEntry.objects.filter(action=Action.SIGNED_IN)
    assert sign_ins.count() == Session.objects.count()


@pytest.mark.parametrize("cookie", ["", "x" * 32, "no such session"])
def test_one_program_without_a_session_makes_one(proxied: Config, cookie: str) -> None:
    for _ in range(3):
        program = Browser("alice")
        if cookie:
            program.cookies["sessionid"] = cookie
        assert program.get(PAGE).status_code == 200
        assert program.cookies["sessionid"].value not in {"", cookie}

    assert Session.objects.count() == 1


def test_a_session_is_not_shared_once_its_cookie_came_back(browser: Browser) -> None:
    browser.get(PAGE)

    second = Browser("alice")
    second.get(PAGE)

    assert second.cookies["sessionid"].value != browser.cookies["sessionid"].value


def test_a_session_is_shared_by_one_identity_alone(browser: Browser) -> None:
    bob = Browser("bob")

    assert "Signed in as bob" in words_of(bob.get(PAGE))
    assert bob.cookies["sessionid"].value != browser.cookies["sessionid"].value


def test_a_form_without_a_session_is_not_accepted(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get(PAGE)
    browser.cookies.clear()

    assert browser.post(PAGE, {"theme": "dark"}).status_code == 403


def test_the_cookie_ends_with_the_browser(browser: Browser) -> None:
    cookie = browser.cookies["sessionid"]

    assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_when_the_header_vanishes_the_session_is_over(browser: Browser) -> None:
    old = browser.session.session_key
    browser.brings({})

    assert refused_as(browser.get(PAGE)) == "missing-identity"
    assert not Session.objects.filter(session_key=old).exists()
    assert last_row(Action.SSO_SESSION_ENDED).actor == User.objects.get(username="alice")


def test_a_cookie_alone_is_of_no_use(browser: Browser) -> None:
    thief = Browser()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value

    assert refused_as(thief.get(PAGE)) == "missing-identity"


def test_another_person_gets_another_session(browser: Browser) -> None:
    old = browser.session.session_key
    browser.brings({"Remote-User": "bob"})

    page = browser.get(PAGE)

    assert "Signed in as bob" in words_of(page)
    assert browser.session.session_key != old
    assert not Session.objects.filter(session_key=old).exists()
    assert last_row(Action.SSO_SESSION_ENDED).detail == {"reason": "changed-identity"}


def test_another_identity_of_the_same_member_gets_another_session(browser: Browser) -> None:
    old = browser.session.session_key
    first = Identity.objects.get()
    Identity.objects.create(source=first.source, stable_id="alice-2", member=first.member)
    browser.brings({"Remote-User": "alice-2"})

    assert "Signed in as alice" in words_of(browser.get(PAGE))
    assert browser.session.session_key != old


def test_another_person_does_not_send_the_first_ones_form(proxied: Config) -> None:
    browser = Browser("alice")
    browser.handler.enforce_csrf_checks = True
    browser.get(PAGE)
    token = browser.cookies["csrftoken"].value
    browser.brings({"Remote-User": "bob"})

    response = browser.post(PAGE, {"theme": "dark", "csrfmiddlewaretoken": token})

    assert response.status_code == 403
    assert "out of date" in words_of(response)


def test_a_part_is_not_given_to_another_person(browser: Browser) -> None:
    browser.brings({"Remote-User": "bob"})

    response = browser.get("/keys/", headers=HTMX)

    assert (response.status_code, response["HX-Refresh"]) == (401, "true")


def test_a_planted_session_is_not_taken_over(browser: Browser, proxied: Config) -> None:
    planted = browser.cookies["sessionid"].value
    victim = Browser("victim")
    victim.cookies["sessionid"] = planted

    victim.get(PAGE)

    assert victim.cookies["sessionid"].value != planted
    assert browser.get(PAGE).status_code == 200  # signed in anew, as nobody but herself
    assert "Signed in as alice" in words_of(browser.get(PAGE))


def test_a_session_before_sign_in_gets_a_new_key(proxied: Config) -> None:
    browser = Browser("alice")
    session = browser.session
    session["planted"] = "yes"
    session.save()
    browser.cookies["sessionid"] = str(session.session_key)

    browser.get(PAGE)

    assert browser.cookies["sessionid"].value != session.session_key
    assert "planted" not in browser.session


def test_who_is_switched_off_is_out_at_the_next_request(browser: Browser) -> None:
    User.objects.filter(username="alice").update(is_active=False)

    assert refused_as(browser.get(PAGE)) == "switched-off"


def groups(browser: Browser, said: str | None) -> Browser:
    browser.brings({"Remote-User": "alice"} | ({} if said is None else {"Remote-Groups": said}))
    return browser


@pytest.fixture
def another_admin(proxied: Config) -> None:
    """An admin who can sign in, so that others can lose the role."""
    other = Browser()
    other.brings({"Remote-User": "other", "Remote-Groups": "console-admins"})
    assert other.get(ADMIN_PAGE).status_code == 200


def test_groups_make_an_admin_and_unmake_one(browser: Browser, another_admin: None) -> None:
    assert groups(browser, "staff,console-admins").get(ADMIN_PAGE).status_code == 200
    assert last_row(Action.SSO_ADMIN_GIVEN).actor_name == "alice"

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 403
    assert last_row(Action.SSO_ADMIN_TAKEN).actor_name == "alice"


def test_no_groups_at_all_drop_the_role(browser: Browser, another_admin: None) -> None:
    groups(browser, "console-admins").get(PAGE)

    assert groups(browser, "").get(ADMIN_PAGE).status_code == 403


def test_nothing_said_about_groups_keeps_the_role(browser: Browser, carol: User) -> None:
    groups(browser, "console-admins").get(PAGE)

    assert groups(browser, None).get(ADMIN_PAGE).status_code == 200


def test_without_a_mapping_groups_change_nothing(
    browser: Browser, settings: Any, carol: User
) -> None:
    change(settings, admin_groups=frozenset())
    User.objects.get(username="alice").groups.add(Group.objects.get(name=ADMINS))

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200


def test_the_last_admin_stays_and_that_is_told_once(browser: Browser) -> None:
    groups(browser, "console-admins").get(PAGE)

    for _ in range(3):
        assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200

    assert last_row(Action.SSO_LAST_ADMIN_KEPT).outcome == "refused"
    rows = type(last_row(Action.SSO_LAST_ADMIN_KEPT)).objects
    assert rows.filter(action=Action.SSO_LAST_ADMIN_KEPT).count() == 1


def test_an_admin_who_is_switched_off_does_not_count(browser: Browser, carol: User) -> None:
    groups(browser, "console-admins").get(PAGE)
    User.objects.filter(pk=carol.pk).update(is_active=False)

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200


@pytest.fixture
def two_admins(proxied: Config, settings: Any) -> tuple[Browser, Browser]:
    """Alice and Root, where only some groups may sign in."""
    change(settings, member_groups=frozenset({"staff"}))
    alice, root = Browser(), Browser()
    for browser, name in ((alice, "alice"), (root, "root")):
        browser.brings({"Remote-User": name, "Remote-Groups": "console-admins"})
        assert browser.get(ADMIN_PAGE).status_code == 200
    return alice, root


@pytest.mark.parametrize("said", [None, "", "others"])
def test_an_admin_who_may_not_sign_in_any_more_does_not_count(
    two_admins: tuple[Browser, Browser], said: str | None
) -> None:
    alice, root = two_admins
    root.brings({"Remote-User": "root"} | ({} if said is None else {"Remote-Groups": said}))
    assert refused_as(root.get(PAGE)) == "not-in-groups"

    assert groups(alice, "staff").get(ADMIN_PAGE).status_code == 200
    assert last_row(Action.SSO_LAST_ADMIN_KEPT).actor_name == "alice"


def test_an_admin_who_may_sign_in_again_counts_again(
    two_admins: tuple[Browser, Browser],
) -> None:
    alice, root = two_admins
    root.brings({"Remote-User": "root", "Remote-Groups": "others"})
    assert root.get(PAGE).status_code == 403
    root.brings({"Remote-User": "root", "Remote-Groups": "console-admins"})
    assert root.get(PAGE).status_code == 200

    assert groups(alice, "staff").get(ADMIN_PAGE).status_code == 403


@pytest.mark.parametrize(
    "changed", [{"state": "pending"}, {"source": "proxy:authentik"}, {"is_admitted": False}]
)
def test_an_admin_without_an_identity_of_this_proxy_does_not_count(
    two_admins: tuple[Browser, Browser], changed: dict[str, Any]
) -> None:
    Identity.objects.filter(member__username="root").update(**changed)

    assert groups(two_admins[0], "staff").get(ADMIN_PAGE).status_code == 200


def test_an_admin_with_a_password_counts_while_passwords_work(
    browser: Browser, carol: User, settings: Any
) -> None:
    groups(browser, "console-admins").get(PAGE)
    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200

    change(settings, local_fallback=True)

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 403


@pytest.mark.parametrize("said", [None, "", "others"])
def test_only_the_named_groups_come_in(proxied: Config, settings: Any, said: str | None) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert refused_as(groups(Browser("alice"), said).get(PAGE)) == "not-in-groups"
    assert not User.objects.exists()


@pytest.mark.parametrize("said", ["console", "console-admins", "x, console"])
def test_the_named_groups_come_in(proxied: Config, settings: Any, said: str) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert groups(Browser("alice"), said).get(PAGE).status_code == 200


def test_a_change_of_mode_ends_the_sessions_of_the_other(alice: User, settings: Any) -> None:
    from tests.estuary_admin.sso.conftest import BEHIND_PROXY, use

    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    use(settings, BEHIND_PROXY)

    assert refused_as(client.get(PAGE, REMOTE_ADDR="10.0.0.5")) == "missing-identity"
