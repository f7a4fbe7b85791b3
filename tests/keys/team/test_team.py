"""The list of members: who is connected, what the worker last saw, for admins alone."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from estuary_admin.sso.models import Identity
from keys.models import SyncedAccount
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team.members import address_of, member_at
from keys.team.sync import sync_due
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import words_of
from tests.keys.team.conftest import look_again

DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def synced(node: Sandbox, account: Account, alice: User, token: str) -> str:
    """Alice's account after a look: a key without end, one that has ended, one that ends soon."""
    connect(alice, token)
    node.add_key(account, label="forever", lifetime=None)
    node.add_key(account, label="past", lifetime=-DAY)
    node.add_key(account, label="old", lifetime=3 * DAY, era="legacy")
    sync_due()
    node.forget_requests()
    return token


def test_a_member_stands_with_connection_keys_and_findings(
    admin: Client, synced: str, node: Sandbox
) -> None:
    words = words_of(admin.get("/team/"))

    assert "alice" in words
    assert "3 working 1 ends soon · 1 no expiry · 1 plain text · 1 ended" in words
    assert "3 without purpose" in words
    assert "As of just now" in words
    assert node.requests == []  # what the worker saw is enough


def test_members_without_connection_role_and_factor_are_named(
    admin: Client, synced: str, carol: User
) -> None:
    Authenticator.objects.create(user=carol, type=Authenticator.Type.TOTP, data={})

    words = words_of(admin.get("/team/?role=admin"))

    assert "carol Admin Second factor Not connected Unknown Unknown Unknown" in words
    assert "alice" not in words


def test_a_refused_token_is_trouble(admin: Client, synced: str, node: Sandbox) -> None:
    node.set_fault("list", Fault("401-unknown"))
    look_again()

    words = words_of(admin.get("/team/?state=trouble"))

    assert "Token refused" in words
    assert "Estuary does not know this key" in words
    assert "With trouble 1" in words


def test_disabled_and_refused_members_are_to_off_board(
    admin: Client, synced: str, alice: User
) -> None:
    assert "Nobody found" in words_of(admin.get("/team/?state=to-off-board"))
    identity = Identity.objects.create(source="s", stable_id="1", member=alice, is_admitted=False)
    assert "alice To off-board" in words_of(admin.get("/team/?state=to-off-board"))

    identity.delete()
    alice.is_active = False
    alice.save()

    assert "alice Disabled To off-board" in words_of(admin.get("/team/?state=to-off-board"))


def test_an_identity_that_waits_for_an_admin_says_nothing_about_the_member(
    admin: Client, synced: str, alice: User
) -> None:
    of = {"source": "s", "member": alice}
    pending = Identity.State.PENDING
    stranger = Identity.objects.create(stable_id="1", state=pending, is_admitted=False, **of)
    assert "Nobody found" in words_of(admin.get("/team/?state=to-off-board"))

    Identity.objects.filter(pk=stranger.pk).update(is_admitted=True)
    Identity.objects.create(stable_id="2", is_admitted=False, **of)

    assert "alice To off-board" in words_of(admin.get("/team/?state=to-off-board"))


def test_a_member_whose_name_looks_like_a_number_has_a_page(admin: Client, alice: User) -> None:
    other = User.objects.create_user(f"id:{alice.pk}")

    address = f"/team/{address_of(other)}/"

    assert f"id:{alice.pk}" in words_of(admin.get(address))
    assert member_at(address_of(other)) == other


def test_a_name_is_searched(admin: Client, synced: str) -> None:
    words = words_of(admin.get("/team/?q=ALI"))

    assert "alice" in words
    assert "carol Admin" not in words


def test_pages_follow_one_another_without_gaps(admin: Client) -> None:
    User.objects.bulk_create(User(username=f"m{number:03}") for number in range(120))
    seen: list[str] = []
    url = "/team/"
    while url:
        context = admin.get(url).context
        seen += [row.member.username for row in context["rows"]]
        url = context["next_url"]

    assert seen == ["carol", *[f"m{number:03}" for number in range(120)]]


def test_one_account_or_all_are_refreshed(
    admin: Client, synced: str, alice: User, node: Sandbox
) -> None:
    response = admin.post("/team/refresh/", {"member": "alice", "next": "/team/?q=alice"})

    assert response["Location"] == "/team/?q=alice"
    due = SyncedAccount.objects.get().due_at
    assert due
    assert due <= timezone.now()
    assert node.requests == []
    assert admin.post("/team/refresh/", {"member": "nobody"}).status_code == 404
    assert "is asked to look at 1 account." in words_of(admin.post("/team/refresh/", follow=True))


@pytest.mark.parametrize("path", ["/team/", "/team/keys/", "/team/keys/download/?form=csv"])
def test_only_admins_see_the_team(path: str, alice: User, synced: str) -> None:
    assert signed_in(alice).get(path).status_code == 403
    assert Client().get(path).status_code == 302


def test_the_bar_leads_admins_to_the_team(admin: Client, alice: User) -> None:
    assert 'href="/team/"' in admin.get("/account/").content.decode()
    assert 'href="/team/"' not in signed_in(alice).get("/account/").content.decode()


def test_htmx_gets_the_part(admin: Client, synced: str) -> None:
    page = admin.get("/team/", headers=HTMX).content.decode()

    assert page.lstrip().startswith('<section id="team"')


def test_a_token_that_is_searched_for_leaves_the_address(admin: Client, synced: str) -> None:
    for path in ("/team/", "/team/keys/"):
        response = admin.get(f"{path}?q={quote(synced)}")

        assert response["Location"] == f"/team/keys/?q={hash_of(synced)[:8]}"


def test_names_that_are_routes_have_another_address(db: None) -> None:
    for name in ("keys", "refresh", "a/b", ".."):
        member = User.objects.create_user(name)
        assert address_of(member) == f"id:{member.pk}"
        assert member_at(address_of(member)) == member
    assert member_at("id:" + "9" * 400) is None
