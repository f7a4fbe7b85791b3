"""All members' keys in one table: filters, order, pages, saved views and the credential report."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, SavedView, SeenKey, StoredToken, SyncedAccount
from keys.notes.services import NoteText, save_note
from keys.team.query import TeamKeysQuery
from keys.upstream import fingerprint_of, hash_of
from tests.conftest import signed_in
from tests.keys.evidence import last_row, words_of

DAY = timedelta(days=1)


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


def hash_for(name: str) -> str:
    return name.ljust(43, "0")


def seen(account: SyncedAccount, label: str, days: float, **facts: Any) -> SeenKey:
    return SeenKey.objects.create(
        account=account,
        token_hash=hash_for(label.replace(" ", "")[:20]),
        owner=account.member.get_username(),
        label=label,
        label_sort=label.casefold(),
        search_text=f"{label}\n{account.member.get_username()}".casefold(),
        expiry=timezone.now() + days * DAY,
        **facts,
    )


@pytest.fixture
def table(alice: User) -> list[SeenKey]:
    """Keys of two members, one of each kind."""
    bob = User.objects.create_user("bob")
    of_alice = SyncedAccount.objects.create(member=alice, as_of=timezone.now())
    of_bob = SyncedAccount.objects.create(member=bob, as_of=timezone.now() - 2 * DAY)
    save_note(Actor(alice, "", ""), hash_for("backup"), NoteText(purpose="copies of the wiki"))
    return [
        seen(of_alice, "backup", 90, permission="upload", is_made_here=True),
        seen(of_alice, "ended", -2),
        seen(of_alice, "session", 20, is_session=True),
        seen(of_bob, "soon", 5, permission="all", is_made_here=True),
        seen(of_bob, "forever", 36500, breaks_policy=True),
        seen(of_bob, "plain", 40, is_legacy=True),
    ]


def labels(client: Client, query: str = "") -> list[str]:
    return [row.seen.label for row in client.get(f"/team/keys/{query}").context["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ended", "soon", "plain", "backup", "forever"]),
        ("?sort=-expiry", ["forever", "backup", "plain", "soon", "ended"]),
        ("?sort=label", ["backup", "ended", "forever", "plain", "soon"]),
        ("?sort=owner", ["backup", "ended", "soon", "forever", "plain"]),
        ("?status=working", ["soon", "plain", "backup", "forever"]),
        ("?status=soon", ["soon"]),
        ("?status=expired", ["ended"]),
        ("?status=permanent", ["forever"]),
        ("?status=legacy", ["plain"]),
        ("?status=session", ["session"]),
        ("?status=nonsense", ["ended", "soon", "plain", "backup", "forever"]),
        ("?permission=upload", ["backup"]),
        ("?permission=unknown", ["ended", "plain", "forever"]),
        ("?origin=here", ["soon", "backup"]),
        ("?origin=elsewhere", ["ended", "plain", "forever"]),
        ("?owner=bob", ["soon", "plain", "forever"]),
        ("?finding=over-policy", ["forever"]),
        ("?finding=no-purpose", ["soon", "plain", "forever"]),
        ("?finding=any", ["soon", "plain", "forever"]),
        ("?q=BACK", ["backup"]),
        ("?q=wiki", ["backup"]),
        ("?q=plain000", ["plain"]),
        ("?q=PLAIN000", []),
        ("?q=100%25", []),
        ("?q=%00x", []),
    ],
)
def test_filters_and_orders(
    admin: Client, table: list[SeenKey], query: str, expected: list[str]
) -> None:
    assert labels(admin, query) == expected


def test_a_row_tells_what_is_known(admin: Client, table: list[SeenKey]) -> None:
    words = words_of(admin.get("/team/keys/"))

    assert "5 keys found" in words
    assert "backup Made here backup00 copies of the wiki" in words
    assert "Upload only" in words
    assert "No expiry Over policy, No purpose" in words
    assert "As of 2 days ago" in words


def test_keys_of_disabled_members_are_a_finding(admin: Client, table: list[SeenKey]) -> None:
    User.objects.filter(username="bob").update(is_active=False)

    assert labels(admin, "?finding=owner-gone") == ["soon", "plain", "forever"]
    assert "Owner disabled" in words_of(admin.get("/team/keys/?owner=bob"))


@pytest.mark.parametrize("sort", ["expiry", "-expiry", "label", "-label", "owner", "-owner"])
def test_pages_follow_one_another_without_gaps(
    admin: Client, table: list[SeenKey], sort: str
) -> None:
    account = SyncedAccount.objects.get(member__username="bob")
    moment = timezone.now() + 7 * DAY
    SeenKey.objects.bulk_create(
        SeenKey(
            account=account,
            token_hash=hash_for(f"n{n:03}x"),
            owner="bob",
            label="same",
            label_sort="same",
            expiry=moment,
        )
        for n in range(120)
    )
    found: list[int] = []
    url = f"/team/keys/?sort={sort}"
    while url:
        context = admin.get(url).context
        found += [row.seen.pk for row in context["rows"]]
        url = context["next_url"]

    assert len(found) == len(set(found)) == 125


def test_a_saved_view_is_kept_for_its_admin(admin: Client, table: list[SeenKey]) -> None:
    response = admin.post(
        "/team/keys/views/", {"name": "Bob's", "query": "owner=bob&sort=label&evil=1"}
    )

    assert response["Location"] == "/team/keys/?owner=bob&sort=label"
    assert "Bob's" in words_of(admin.get("/team/keys/"))
    other = User.objects.create_user("dora")
    other.groups.set(User.objects.get(username="carol").groups.all())
    assert "Bob's" not in words_of(signed_in(other).get("/team/keys/"))
    signed_in(other).post("/team/keys/views/", {"remove": str(SavedView.objects.get().pk)})
    assert SavedView.objects.exists()
    admin.post("/team/keys/views/", {"remove": str(SavedView.objects.get().pk)})
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    ("name", "query", "sentence"),
    [
        ("", "owner=bob", "Give the view a name."),
        ("all", "", "Filter the keys first"),
        ("EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY", "owner=bob", "holds a token"),
    ],
)
def test_a_view_that_cannot_be_kept(
    admin: Client, table: list[SeenKey], name: str, query: str, sentence: str
) -> None:
    words = words_of(admin.post("/team/keys/views/", {"name": name, "query": query}, follow=True))

    assert sentence in words
    assert not SavedView.objects.exists()


def test_the_report_as_csv_is_safe_for_spreadsheets(admin: Client, table: list[SeenKey]) -> None:
    SeenKey.objects.filter(label="soon").update(label="=HYPERLINK(1)")

    response = admin.get("/team/keys/download/?form=csv&status=working")
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))

    assert [row["label"] for row in rows] == ["'=HYPERLINK(1)", "plain", "backup", "forever"]
    assert rows[3]["ends_at"] == ""
    assert rows[3]["findings"] == "Over policy, No purpose"
    assert (rows[2]["owner"], rows[2]["purpose"], rows[2]["made"]) == (
        "alice",
        "copies of the wiki",
        "here",
    )
    assert 'filename="estuary-admin-keys-' in response["Content-Disposition"]
    assert last_row(Action.TEAM_DOWNLOADED).detail == {"form": "csv", "status": "working"}


TOKEN = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"


@pytest.mark.parametrize("path", ["/team/keys/?", "/team/keys/download/?form=csv&"])
@pytest.mark.parametrize("field", ["q", "owner"])
def test_a_token_in_a_filter_is_kept_nowhere(
    admin: Client, table: list[SeenKey], path: str, field: str
) -> None:
    response = admin.get(f"{path}{field}={TOKEN}")

    assert response["Location"] == f"/team/keys/?q={fingerprint_of(hash_of(TOKEN))}"
    assert not AuditEntry.objects.filter(action=Action.TEAM_DOWNLOADED).exists()


@pytest.mark.parametrize("query", [f"q={TOKEN}", f"owner=x{TOKEN}", "q=EST%31" + TOKEN[4:]])
def test_a_view_with_a_token_is_neither_saved_nor_in_an_address(
    admin: Client, table: list[SeenKey], query: str
) -> None:
    response = admin.post("/team/keys/views/", {"name": "leak", "query": query})

    assert response["Location"] == "/team/keys/"
    assert "The view holds a token, and was not saved." in words_of(admin.get("/team/keys/"))
    assert not SavedView.objects.exists()


def test_two_long_names_do_not_replace_one_another(admin: Client, table: list[SeenKey]) -> None:
    for query in ("owner=bob", "owner=alice"):
        admin.post("/team/keys/views/", {"name": f"{'x' * 60}{query}", "query": query})

    assert not SavedView.objects.exists()
    assert "The name is too long: 60 characters at most." in words_of(admin.get("/team/keys/"))


def test_a_long_filter_is_not_saved_in_part(admin: Client, table: list[SeenKey]) -> None:
    text = "\U00020000" * 150  # 12 characters each in an address
    query = TeamKeysQuery({"q": text, "owner": text}).text()

    response = admin.post("/team/keys/views/", {"name": "long", "query": query})

    assert response["Location"] == f"/team/keys/?{query}"
    words = words_of(admin.get("/team/keys/"))
    assert "The filter is too long to be kept. Search for less text." in words
    assert not SavedView.objects.exists()


def test_a_view_that_is_not_there_is_not_called_removed(
    admin: Client, table: list[SeenKey]
) -> None:
    words = words_of(admin.post("/team/keys/views/", {"remove": "12345"}, follow=True))

    assert "You have no such view any more." in words
    assert "View removed." not in words


def test_a_page_whose_place_is_gone_leads_to_the_first_one(
    admin: Client, table: list[SeenKey]
) -> None:
    response = admin.get("/team/keys/?sort=owner&after=99999", follow=True)

    assert response.redirect_chain == [("/team/keys/?sort=owner", 302)]
    assert "The page that you asked for has moved. Here is the first one." in words_of(response)


def test_accounts_that_were_not_read_are_told(
    admin: Client, table: list[SeenKey], alice: User
) -> None:
    assert "without" not in words_of(admin.get("/team/keys/"))
    dora = User.objects.create_user("dora")
    StoredToken.objects.create(member=dora, sealed="-", token_hash=hash_for("dora"))

    words = words_of(admin.get("/team/keys/"))

    assert "5 keys found, without 1 connected account that the worker has not read yet" in words


def test_the_report_as_ndjson(admin: Client, table: list[SeenKey]) -> None:
    response = admin.get("/team/keys/download/?form=ndjson&owner=bob")

    rows = [json.loads(line) for line in response.getvalue().decode().splitlines()]
    assert [row["label"] for row in rows] == ["soon", "plain", "forever"]
    assert rows[1]["is_plain_text"] is True


def test_another_form_of_the_report_is_not_there(admin: Client) -> None:
    assert admin.get("/team/keys/download/?form=xlsx").status_code == 404
    assert not AuditEntry.objects.filter(action=Action.TEAM_DOWNLOADED).exists()


def test_asking_for_the_head_of_the_report_is_no_download(
    admin: Client, table: list[SeenKey]
) -> None:
    response = admin.head("/team/keys/download/?form=csv")

    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    assert response.getvalue().count(b"\n") <= 1  # at most the head of the table
    assert not AuditEntry.objects.filter(action=Action.TEAM_DOWNLOADED).exists()


def test_a_report_of_more_keys_than_are_read_at_once_names_each_once(
    admin: Client, table: list[SeenKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keys.team.key_rows.ROWS_PER_READ", 2)

    lines = admin.get("/team/keys/download/?form=ndjson").getvalue().splitlines()

    found = [json.loads(line)["label"] for line in lines]
    assert sorted(found) == ["backup", "ended", "forever", "plain", "soon"]


def test_a_view_more_than_may_be_kept_is_refused_and_one_of_them_may_change(
    admin: Client, carol: User
) -> None:
    SavedView.objects.bulk_create(
        SavedView(member=carol, name=f"view {number}", query="owner=bob") for number in range(20)
    )

    def save(name: str) -> str:
        form = {"name": name, "query": "status=soon"}
        return words_of(admin.post("/team/keys/views/", form, follow=True))

    assert "You have 20 views already. Remove one first." in save("one more")
    save("view 7")

    assert SavedView.objects.count() == 20
    assert SavedView.objects.get(name="view 7").query == "status=soon"


@pytest.mark.parametrize(
    ("label", "words"), [("ended", r"· ended .*\(2 days ago\)"), ("backup", r"· ends .*\(in")]
)
def test_the_revoke_page_says_whether_a_key_has_ended(
    admin: Client, table: list[SeenKey], label: str, words: str
) -> None:
    page = words_of(admin.get(f"/team/alice/keys/{hash_for(label)}/revoke/"))

    assert re.search(words, page)


@pytest.mark.parametrize("url", ["/team/keys/", "/team/alice/"])
def test_the_tables_show_the_date_of_an_end_beside_the_distance(
    admin: Client, table: list[SeenKey], url: str
) -> None:
    [backup] = [key for key in table if key.label == "backup"]

    page = words_of(admin.get(url))

    assert f"{backup.expiry.day} {backup.expiry:%b %Y} in 3 months" in page
