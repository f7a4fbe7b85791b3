"""What many keys, many accounts and many notes take: `python -m bench.background [--quick]`.

The node answers after 20 ms and allows 200 requests a second, as Estuary does.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from bench.change_cost import Browser
from bench.node import Account
from bench.stage import Node, Stage, staged
from bench.targets import Row

MEMBER, NOTED = "bulk", "noted"
RATE_LIMIT = 200  # requests a second, for each address
PATIENCE = 300  # seconds
BULK_SECONDS, SYNC_SECONDS, NOTES_MS, PAGES_MEANWHILE = 12, 60, 5, 1.2
PAGES = 40  # for a median
LOOK_SECONDS = 0.05  # between two looks at whether it is done


def main() -> None:
    is_quick = "--quick" in sys.argv
    keys, accounts, notes = (100, 50, 1_000) if is_quick else (1_000, 1_000, 10_000)
    for row in (
        *with_stage([Account(MEMBER, keys + 1)], lambda stage: bulk(stage, keys)),
        *with_stage([Account(f"m{n}", 10) for n in range(accounts)], sync),
        *with_stage([Account(NOTED, notes + 1)], noted),
    ):
        mark = "" if row.is_reached else " (missed)"
        print(f"{row.what}: {row.said(row.figure)}, limit {row.said(row.bound)}{mark}", flush=True)


def with_stage(accounts: list[Account], measure: Callable[[Stage], Iterator[Row]]) -> Iterator[Row]:
    with staged(accounts) as stage:
        yield from measure(stage)


def bulk(stage: Stage, keys: int) -> Iterator[Row]:
    """Revoke all keys of an account, but that of the console, in the worker."""
    with (
        stage.node(rate_limit=RATE_LIMIT) as node,
        stage.console(node) as console,
        stage.worker(node),
    ):
        browser = Browser(console.url, stage.cookies[MEMBER])
        chosen = browser.send("/keys/", "/keys/bulk/", {"action": "revoke", "all_found": "1"})
        [path] = re.findall(r'action="(/keys/bulk/[\w-]{36}/)"', chosen)
        seconds = timed(
            lambda: browser.send(path, path, {}),
            lambda: 'data-state="done"' in browser.get(path),
        )
        left = len(hashes_at(node, MEMBER))
    what = f"Bulk revoke of {keys:,} keys"
    yield Row(what, seconds, BULK_SECONDS, "s", digits=1)
    # Those that the node refused would still be there.
    yield Row(f"{what}: keys left at the node", left - 1, 0, "")


def sync(stage: Stage) -> Iterator[Row]:
    """The first look at every account, and pages before it and meanwhile."""
    count, meanwhile = len(stage.accounts), list[float]()
    with stage.node(rate_limit=RATE_LIMIT) as node, stage.console(node) as console:
        browser = Browser(console.url, stage.cookies["m0"])
        browser.get("/keys/")
        before = median_of_pages(browser, pause=LOOK_SECONDS)  # as they are asked meanwhile
        with stage.worker(node):

            def is_done() -> bool:
                took = page_ms(browser)
                seen = stage.count("SELECT count(*) FROM keys_syncedaccount WHERE as_of NOT NULL")
                if seen:  # before that, the worker is starting
                    meanwhile.append(took)
                return seen == count

            seconds = timed(lambda: None, is_done)
    what = f"Sync of {count:,} accounts"
    yield Row(what, seconds, SYNC_SECONDS, "s", digits=1)
    ratio = statistics.median(meanwhile) / before
    yield Row(f"{what}: a page meanwhile ÷ before", ratio, PAGES_MEANWHILE, "", digits=2)


def noted(stage: Stage) -> Iterator[Row]:
    """The kept list of an account, before and after each key has a note."""
    with stage.node() as node, stage.console(node) as console:
        browser = Browser(console.url, stage.cookies[NOTED])
        browser.get("/keys/")
        before = median_of_pages(browser)
        hashes = hashes_at(node, NOTED)
        stage.run("bench.write_notes", "\n".join(hashes), node)
        after = median_of_pages(browser)
    what = f"{len(hashes):,} notes: kept list, ms more"
    yield Row(what, after - before, NOTES_MS, "ms", digits=1)


def timed(begin: Callable[[], object], is_done: Callable[[], bool]) -> float:
    started = time.monotonic()
    begin()
    while not is_done():
        if time.monotonic() - started > PATIENCE:
            raise RuntimeError("it does not come to an end")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - started


def page_ms(browser: Browser) -> float:
    started = time.perf_counter()
    browser.get("/keys/")
    return (time.perf_counter() - started) * 1000


def median_of_pages(browser: Browser, pause: float = 0) -> float:
    """The milliseconds of a page; with a pause (seconds) between them they take longer, because
    the caches of the processor then hold other things."""
    times = []
    for _ in range(PAGES):
        times.append(page_ms(browser))
        time.sleep(pause)
    return statistics.median(times)


def hashes_at(node: Node, member: str) -> list[str]:
    connection = http.client.HTTPConnection(urlsplit(node.url).netloc)
    headers = {"Authorization": f"Bearer {node.tokens[member]}"}
    connection.request("GET", "/user/api-keys", headers=headers)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return [key["tokenHash"] for key in found if key["tokenHash"]]


if __name__ == "__main__":
    main()
