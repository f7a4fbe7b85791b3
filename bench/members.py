"""Many members at once, each with their own list, in front of a slow node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.load import Load, load
from bench.pages import KEPT, READ
from bench.plan import Plan
from bench.stage import Stage

PATIENCE = 30  # seconds for one page


@dataclass(frozen=True)
class Answer:
    ms: float
    is_good: bool  # 200, and the member's own page


@dataclass(frozen=True)
class Members:
    """Times in milliseconds of all bursts; `sustained` is for members who ask all the time."""

    members: int
    bursts: int
    errors: int
    p50: float
    p95: float
    most: float
    sustained: Load
    kept_p95: float = 0.0  # the same bursts for pages from kept lists
    kept_errors: int = 0


def measure(stage: Stage, plan: Plan) -> Members:
    cookies = {name: stage.cookies[name] for name in plan.member_names()}
    with stage.node(latency=plan.slow) as node, stage.console(node) as console:
        # Warm the console up before the bursts.
        asyncio.run(burst(console.url, cookies, READ))
        answers = _bursts(console.url, cookies, READ, plan.bursts)
        kept = _bursts(console.url, cookies, KEPT, plan.bursts)
        headers = [f"Cookie: {cookie}" for cookie in cookies.values()]
        sustained = load(console.url + READ, headers, len(cookies), plan.seconds * 3, console.pid)
    return Members(
        members=plan.members,
        bursts=plan.bursts,
        errors=sum(not answer.is_good for answer in answers),
        p50=percentile((answer.ms for answer in answers), 50),
        p95=percentile((answer.ms for answer in answers), 95),
        most=max(answer.ms for answer in answers),
        sustained=sustained,
        kept_p95=percentile((answer.ms for answer in kept), 95),
        kept_errors=sum(not answer.is_good for answer in kept),
    )


def _bursts(url: str, cookies: dict[str, str], path: str, count: int) -> list[Answer]:
    return [answer for _ in range(count) for answer in asyncio.run(burst(url, cookies, path))]


async def burst(url: str, cookies: dict[str, str], path: str) -> list[Answer]:
    """All members open a connection and ask for the page at the same time."""
    place = urlsplit(url)
    return await asyncio.gather(
        *(_ask(str(place.hostname), place.port or 80, path, *one) for one in cookies.items())
    )


async def _ask(host: str, port: int, path: str, name: str, cookie: str) -> Answer:
    started = time.perf_counter()
    try:
        body = await asyncio.wait_for(_page(host, port, path, cookie), PATIENCE)
    except (OSError, TimeoutError):
        body = b""
    took = time.perf_counter() - started
    is_own = f'<bdi class="menu-name">{name}</bdi>'.encode() in body
    return Answer(1000 * took, body.startswith(b"HTTP/1.1 200 ") and is_own)


async def _page(host: str, port: int, path: str, cookie: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\nConnection: close"
    writer.write(f"{head}\r\n\r\n".encode())
    body = await reader.read(-1)
    writer.close()
    return body


def percentile(values: Iterable[float], share: int) -> float:
    """The smallest value that `share` percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1]
