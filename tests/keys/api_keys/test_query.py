"""The query of the list and its address."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from keys.api_keys.query import KeyQuery, Sort, Status


def test_an_address_holds_the_query() -> None:
    query = KeyQuery.from_params(
        {"q": " a&b ", "status": "expired", "sort": "-expiry", "page": "3"}
    )

    assert query == KeyQuery("a&b", Status.EXPIRED, Sort.EXPIRY_DOWN, 3)
    assert query.url(page=3) == "/keys/?q=a%26b&status=expired&sort=-expiry&page=3"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"status": "blue", "sort": "size", "page": "x"},
        {"page": "-1"},
        {"page": "²"},
        {"page": "9999999"},
        {"page": ""},
        {"week": "tomorrow"},
        {"week": "2026-02-30"},
        {"week": "9999-12-31"},
        {"week": "20261130"},
    ],
)
def test_unknown_values_fall_back_to_the_defaults(parameters: dict[str, str]) -> None:
    assert KeyQuery.from_params(parameters) == KeyQuery()


def test_defaults_are_left_out_of_the_address() -> None:
    assert KeyQuery().url() == "/keys/"
    assert KeyQuery().fresh_url() == "/keys/?fresh=1"


def test_a_change_leads_back_to_the_first_page() -> None:
    assert KeyQuery(q="x", page=3).url(sort=Sort.EXPIRY) == "/keys/?q=x&sort=expiry"


def test_the_refresh_address_keeps_the_query() -> None:
    assert KeyQuery(q="x", page=3).fresh_url() == "/keys/?q=x&page=3&fresh=1"


def test_a_long_search_is_cut() -> None:
    assert len(KeyQuery.from_params({"q": "x" * 1000}).q) == 200


def test_the_plain_list_is_by_what_ends_next() -> None:
    assert KeyQuery().sort is Sort.NEXT
    assert KeyQuery(sort=Sort.LABEL).url(page=2) == "/keys/?sort=label&page=2"
    assert KeyQuery(sort=Sort.EXPIRY).url(sort=Sort.NEXT) == "/keys/"


def test_the_search_form_keeps_filter_and_order() -> None:
    query = KeyQuery("x", Status.EXPIRED, Sort.LABEL, 3)

    assert query.search_fields() == [("status", "expired"), ("sort", "label")]


def test_a_week_is_part_of_the_address() -> None:
    query = KeyQuery.from_params({"week": "2026-11-30", "page": "2"})

    assert query.url(page=3) == "/keys/?week=2026-11-30&page=3"
    assert query.url(week="") == "/keys/"


def test_the_docs_name_every_filter_and_order() -> None:
    text = (settings.BASE_DIR / "docs/architecture.md").read_text()
    section = text.split("## Addresses of the key list")[1].split("\n## ")[0]

    said = set(re.findall(r"`([a-z-]+)`", section))

    assert {*Status, *filter(None, Sort)} <= said
    assert {"q", "status", "week", "sort", "page"} <= said
