"""Weight and stability of pages: bytes, requests, layout shifts, long tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page

from tests.browser.stage import Stage

pytestmark = pytest.mark.browser

KIB = 1024
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((it) => shifts.push(it.value)))
  .observe({ type: "layout-shift", buffered: true });
window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((it) => longTasks.push(it.duration)))
  .observe({ type: "longtask", buffered: true });
"""


@dataclass
class Scales:
    """Counts the bytes of all responses, headers included."""

    session: CDPSession
    requests: dict[str, str] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    total: float = 0

    def __post_init__(self) -> None:
        self.session.send("Network.enable")
        self.session.on("Network.responseReceived", self._note)
        self.session.on("Network.requestServedFromCache", self._forget)
        self.session.on("Network.loadingFinished", self._weigh)

    def _note(self, event: dict[str, Any]) -> None:
        if not event["response"]["fromDiskCache"]:
            self.requests[event["requestId"]] = event["response"]["url"]

    def _forget(self, event: dict[str, Any]) -> None:
        self.cached.add(event["requestId"])

    def _weigh(self, event: dict[str, Any]) -> None:
        self.total += event["encodedDataLength"]

    def weigh(self, page: Page, path: str) -> tuple[float, list[str]]:
        """The bytes and the requested URLs."""
        self.requests, self.cached, self.total = {}, set(), 0
        page.goto(path, wait_until="networkidle")
        return self.total, [self.requests[one] for one in self.requests.keys() - self.cached]


@pytest.fixture(params=["many", "varied"])
def page(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A member with 10,000 keys, and one whose page is full of different labels."""
    with stage.page_of(request.param) as page:
        page.add_init_script(OBSERVE)
        yield page


def test_a_cold_page_is_small_and_a_warm_one_smaller(page: Page) -> None:
    scales = Scales(page.context.new_cdp_session(page))

    total, requests = scales.weigh(page, "/keys/")
    assert total <= 41 * KIB
    assert len(requests) <= 5, requests  # the check of the list is one of them

    page.goto("/stats/", wait_until="networkidle")
    total, requests = scales.weigh(page, "/keys/?page=1")
    assert total <= 8 * KIB
    assert len(requests) == 1, requests


@pytest.mark.parametrize("path", ["/keys/", "/keys/new/", "/stats/", "/account/", "/exports/"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_jumps_while_a_page_loads(stage: Stage, path: str, width: int) -> None:
    with stage.page_of("alice", viewport={"width": width, "height": 800}) as page:
        page.add_init_script(OBSERVE)
        page.goto(path, wait_until="networkidle")
        page.wait_for_timeout(300)
        # After a minute, "2 minutes ago" is one letter longer than "1 minute ago".
        assert round(sum(page.evaluate("shifts")), 3) == 0


def test_nothing_jumps_when_the_list_changes(page: Page) -> None:
    page.goto("/keys/")
    page.get_by_role("link", name="later").click()
    page.wait_for_url("**/keys/?status=active")
    page.get_by_role("searchbox").press_sequentially("upload", delay=30)
    page.wait_for_url("**/keys/?q=upload&status=active")
    page.get_by_role("link", name="Ends").click()
    page.wait_for_url("**sort=expiry")
    # As above: a distance in words may grow by a letter meanwhile.
    assert round(sum(page.evaluate("shifts")), 3) == 0


def test_a_list_of_10000_keys_never_keeps_the_browser_busy(stage: Stage) -> None:
    """The best of several tries: other tests share the machine."""
    worst: list[float] = []
    with stage.page_of("many") as page:
        page.add_init_script(OBSERVE)
        while len(worst) < 12 and min(worst, default=99) > 50:
            page.goto("/keys/", wait_until="networkidle")
            page.get_by_role("link", name="later").click()
            page.wait_for_url("**/keys/?status=active")
            page.get_by_role("link", name="Next", exact=True).first.click()
            page.wait_for_url("**page=2")
            page.wait_for_load_state("networkidle")
            worst.append(max(page.evaluate("longTasks"), default=0))
    assert min(worst) <= 50, worst


def test_static_files_are_cached_and_compressed(stage: Stage) -> None:
    with stage.page_of("alice") as page:
        seen: dict[str, dict[str, str]] = {}
        page.on("response", lambda it: seen.update({it.url: it.all_headers()}))
        page.goto("/keys/", wait_until="networkidle")
        files = {url: headers for url, headers in seen.items() if "/static/" in url}
        assert len(files) == 3
        assert all("immutable" in headers["cache-control"] for headers in files.values())
        for encoding in ("br", "gzip"):
            for url in files:
                answer = page.request.get(url, headers={"Accept-Encoding": encoding})
                assert answer.headers.get("content-encoding") == encoding, url
