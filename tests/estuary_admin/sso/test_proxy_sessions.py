"""Sessions behind a proxy: they last while the proxy sends the same identity."""

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
    """Alice, signed in."""
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
def test_a_program_without_cookies_makes_one_session(proxied: Config, cookie: str) -> None:
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


def test_a_missing_header_ends_the_session(browser: Browser) -> None:
    old = browser.session.session_key
    browser.brings({})

    assert refused_as(browser.get(PAGE)) == "missing-identity"
    assert not Session.objects.filter(session_key=old).exists()
    assert last_row(Action.SSO_SESSION_ENDED).actor == User.objects.get(username="alice")


def test_a_session_cookie_without_the_identity_is_refused(browser: Browser) -> None:
    thief = Browser()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value

    assert refused_as(thief.get(PAGE)) == "missing-identity"


def test_another_person_gets_a_new_session(browser: Browser) -> None:
    old = browser.session.session_key
    browser.brings({"Remote-User": "bob"})

    page = browser.get(PAGE)

    assert "Signed in as bob" in words_of(page)
    assert browser.session.session_key != old
    assert not Session.objects.filter(session_key=old).exists()
    assert last_row(Action.SSO_SESSION_ENDED).detail == {"reason": "changed-identity"}


def test_another_identity_of_the_member_gets_a_new_session(browser: Browser) -> None:
    old = browser.session.session_key
    first = Identity.objects.get()
    Identity.objects.create(source=first.source, stable_id="alice-2", member=first.member)
    browser.brings({"Remote-User": "alice-2"})

    assert "Signed in as alice" in words_of(browser.get(PAGE))
    assert browser.session.session_key != old


def test_a_form_of_the_previous_person_is_refused(proxied: Config) -> None:
    browser = Browser("alice")
    browser.handler.enforce_csrf_checks = True
    browser.get(PAGE)
    token = browser.cookies["csrftoken"].value
    browser.brings({"Remote-User": "bob"})

    response = browser.post(PAGE, {"theme": "dark", "csrfmiddlewaretoken": token})

    assert response.status_code == 403
    assert "out of date" in words_of(response)


def test_an_htmx_request_of_another_person_reloads_the_page(browser: Browser) -> None:
    browser.brings({"Remote-User": "bob"})

    response = browser.get("/keys/", headers=HTMX)

    assert (response.status_code, response["HX-Refresh"]) == (401, "true")


def test_a_planted_session_is_not_used(browser: Browser, proxied: Config) -> None:
    planted = browser.cookies["sessionid"].value
    victim = Browser("victim")
    victim.cookies["sessionid"] = planted

    victim.get(PAGE)

    assert victim.cookies["sessionid"].value != planted
    assert browser.get(PAGE).status_code == 200  # signed in again, as herself
    assert "Signed in as alice" in words_of(browser.get(PAGE))


def test_signing_in_replaces_an_anonymous_session(proxied: Config) -> None:
    browser = Browser("alice")
    session = browser.session
    session["planted"] = "yes"
    session.save()
    browser.cookies["sessionid"] = str(session.session_key)

    browser.get(PAGE)

    assert browser.cookies["sessionid"].value != session.session_key
    assert "planted" not in browser.session


def test_a_switched_off_member_is_refused_at_once(browser: Browser) -> None:
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


def test_groups_give_and_take_the_admin_role(browser: Browser, another_admin: None) -> None:
    assert groups(browser, "staff,console-admins").get(ADMIN_PAGE).status_code == 200
    assert last_row(Action.SSO_ADMIN_GIVEN).actor_name == "alice"

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 403
    assert last_row(Action.SSO_ADMIN_TAKEN).actor_name == "alice"


def test_an_empty_groups_header_takes_the_admin_role(browser: Browser, another_admin: None) -> None:
    groups(browser, "console-admins").get(PAGE)

    assert groups(browser, "").get(ADMIN_PAGE).status_code == 403


def test_an_absent_groups_header_keeps_the_role(browser: Browser, carol: User) -> None:
    groups(browser, "console-admins").get(PAGE)

    assert groups(browser, None).get(ADMIN_PAGE).status_code == 200


def test_without_admin_groups_the_role_does_not_change(
    browser: Browser, settings: Any, carol: User
) -> None:
    change(settings, admin_groups=frozenset())
    User.objects.get(username="alice").groups.add(Group.objects.get(name=ADMINS))

    assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200


def test_the_last_admin_is_kept_and_recorded_once(browser: Browser) -> None:
    groups(browser, "console-admins").get(PAGE)

    for _ in range(3):
        assert groups(browser, "staff").get(ADMIN_PAGE).status_code == 200

    assert last_row(Action.SSO_LAST_ADMIN_KEPT).outcome == "refused"
    rows = type(last_row(Action.SSO_LAST_ADMIN_KEPT)).objects
    assert rows.filter(action=Action.SSO_LAST_ADMIN_KEPT).count() == 1


def test_a_switched_off_admin_does_not_count(browser: Browser, carol: User) -> None:
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
def test_an_admin_in_no_allowed_group_does_not_count(
    two_admins: tuple[Browser, Browser], said: str | None
) -> None:
    alice, root = two_admins
    root.brings({"Remote-User": "root"} | ({} if said is None else {"Remote-Groups": said}))
    assert refused_as(root.get(PAGE)) == "not-in-groups"

    assert groups(alice, "staff").get(ADMIN_PAGE).status_code == 200
    assert last_row(Action.SSO_LAST_ADMIN_KEPT).actor_name == "alice"


def test_an_admin_back_in_an_allowed_group_counts_again(
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
def test_a_person_outside_the_member_groups_is_refused(
    proxied: Config, settings: Any, said: str | None
) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert refused_as(groups(Browser("alice"), said).get(PAGE)) == "not-in-groups"
    assert not User.objects.exists()


@pytest.mark.parametrize("said", ["console", "console-admins", "x, console"])
def test_a_person_in_a_member_group_signs_in(proxied: Config, settings: Any, said: str) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert groups(Browser("alice"), said).get(PAGE).status_code == 200


def test_a_change_of_mode_ends_sessions_of_the_old_mode(alice: User, settings: Any) -> None:
    from tests.estuary_admin.sso.conftest import BEHIND_PROXY, use

    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    use(settings, BEHIND_PROXY)

    assert refused_as(client.get(PAGE, REMOTE_ADDR="10.0.0.5")) == "missing-identity"
