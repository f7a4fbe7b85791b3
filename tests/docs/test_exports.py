"""docs/exports.md says what is in the files."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from keys.exports.differences import CHANGES, KINDS, Differences, list_of
from keys.exports.forms_of_export import FORMS, cell

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
HEADERS = dict(re.findall(r"^\| `?([\w. ]+?)`? \| `([\w,]+)` \|$", PAGE, re.MULTILINE))
EMPTY = [json.dumps({"Version": "v", "Version1": {"Contents": [], "Deals": []}}).encode()]


def test_every_form_is_described() -> None:
    table = PAGE.partition("| Form |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) == list(FORMS)


@pytest.mark.parametrize("form", ["contents.csv", "deals.csv"])
def test_the_header_row_of_each_csv_is_written_down(form: str) -> None:
    make = FORMS[form].make
    assert make is not None

    assert b"".join(make(EMPTY)).decode() == f"{HEADERS[form]}\r\n"


def test_the_header_row_of_a_comparisons_list_is_written_down() -> None:
    text = b"".join(list_of(Differences(), lambda: EMPTY, lambda: EMPTY)).decode()

    assert text == f"{HEADERS['list of a comparison']}\r\n"
    assert len(HEADERS) == 3
    assert [word for word in (*CHANGES, *KINDS.values()) if f"`{word}`" not in PAGE] == []


def test_formulas_are_made_safe_as_the_page_says() -> None:
    sentence = PAGE.partition("**Text that a spreadsheet might run")[2].partition("\n\n")[0]
    starts = re.findall(r"`(.)`", sentence)

    assert starts == ["=", "+", "-", "@"]
    for start in [*starts, "\uff1d", "\ufe62", "\t", "\r", "\n", " =", "\u00a0@"]:
        assert cell(f"{start}x") == f"'{start}x"
    assert cell(-1) == -1


def test_cells_are_quoted_as_the_page_says() -> None:
    names = ['a,b "c"', "two\nlines"]
    records = [{"id": number, "name": name} for number, name in enumerate(names)]
    document = json.dumps({"Version": "v", "Version1": {"Contents": records, "Deals": []}})
    make = FORMS["contents.csv"].make
    assert make is not None

    text = b"".join(make([document.encode()])).decode()

    assert text.startswith("id,")  # no byte order mark
    assert '"a,b ""c"""' in text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["name"] for row in rows] == names
    assert {row["cid"] for row in rows} == {""}
