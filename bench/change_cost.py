"""What creating and rotating a key take beyond the node's own calls: `python -m bench.change_cost`.

The node answers after 20 ms. Each change is sent to the console as a browser would, and its calls
are then made to the node directly; the difference of the medians is what the console adds.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import sys
import time
from urllib.parse import urlencode, urlsplit

from bench.node import Account
from bench.stage import Stage, staged

MEMBER = "alice"
#: The calls of each change, in their order; `DELETE` comes with a list before and after it.
CALLS = {
    "create": ("GET", "POST", "GET"),
    "rotate": ("GET", "POST", "GET"),
    "rotate, old key ends now": ("GET", "POST", "GET", "GET", "DELETE", "GET"),
}
LIMIT_MS = 15


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with staged([Account(MEMBER, keys=20)]) as stage:
        found = measure(stage, rounds)
    for name, over in found.items():
        print(f"{name}: {over:.1f} ms over the node's calls (limit {LIMIT_MS} ms)")


def measure(stage: Stage, rounds: int) -> dict[str, float]:
    with stage.node() as node, stage.console(node) as console:
        browser = Browser(console.url, stage.cookies[MEMBER])
        path = re.findall(r'href="(/keys/[\w-]{43}/)"', browser.get("/keys/"))[0]
        times: dict[str, list[float]] = {name: [] for name in CALLS}
        for number in range(rounds):
            label = {"label": f"bench {number}"}
            times["create"].append(browser.change("/keys/new/", label))
            times["rotate"].append(browser.change(f"{browser.new_key}rotate/", {"overlap": "1h"}))
            now = browser.change(f"{browser.new_key}rotate/", {"overlap": "now"})
            times["rotate, old key ends now"].append(now)
        one = node_ms(node.url, node.tokens[MEMBER], rounds, path)
    return {
        name: statistics.median(times[name]) - sum(one[method] for method in methods)
        for name, methods in CALLS.items()
    }


class Browser:
    """A signed-in member with one connection."""

    def __init__(self, url: str, cookie: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._cookie, self._origin = cookie, url
        self.new_key = ""

    def get(self, path: str) -> str:
        return self._ask("GET", path)

    def change(self, path: str, values: dict[str, str]) -> float:
        """Send the form at the address as it is, but for `values`; returns the milliseconds."""
        form = self.get(path)
        data = dict(re.findall(r'<input type="(?:text|hidden)" name="(\w+)" value="([^"]*)"', form))
        data |= dict(re.findall(r'type="radio" name="(\w+)" value="(\w+)"[^>]* checked', form))
        started = time.perf_counter()
        page = self._ask("POST", path, urlencode(data | values))
        took = (time.perf_counter() - started) * 1000
        [new_hash] = re.findall(r'href="/keys/\?new=([\w-]{43})"', page)
        self.new_key = f"/keys/{new_hash}/"
        return took

    def send(self, form_page: str, path: str, values: dict[str, str]) -> str:
        """Send these values with the CSRF token of a page."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(form_page))
        token = {"csrfmiddlewaretoken": found[1]} if found else {}
        return self._ask("POST", path, urlencode(token | values))

    def _ask(self, method: str, path: str, body: str = "") -> str:
        headers = {"Cookie": self._cookie, "Origin": self._origin}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body or None, headers)
        return self._connection.getresponse().read().decode()


def node_ms(url: str, token: str, rounds: int, path: str) -> dict[str, float]:
    """The milliseconds of each call to the node itself; medians."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Authorization": f"Bearer {token}"}
    times: dict[str, list[float]] = {"GET": [], "POST": [], "DELETE": []}
    token_hash = path.split("/")[2]
    for _ in range(rounds):
        for method, address in (
            ("GET", "/user/api-keys"),
            ("POST", "/user/api-keys?expiry=1h&perms=upload&label=node"),
            ("DELETE", f"/user/api-keys/{token_hash}"),
        ):
            started = time.perf_counter()
            connection.request(method, address, headers=headers)
            body = connection.getresponse().read()
            times[method].append((time.perf_counter() - started) * 1000)
            if method == "POST":
                token_hash = json.loads(body)["tokenHash"]
    return {method: statistics.median(found) for method, found in times.items()}


if __name__ == "__main__":
    main()
