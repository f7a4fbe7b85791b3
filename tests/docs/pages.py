"""The fenced blocks of README and docs, as the tests that run them find them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.M)
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is where its page has the opening fence."""

    page: str
    line: int
    language: str
    text: str

    @property
    def is_environment(self) -> bool:
        """Whether it holds nothing but variables: the settings that a page recommends."""
        if self.language not in {"sh", "ini", "env"}:
            return False
        text = re.sub(r"='[^']*'", "=quoted", self.text)
        lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
        return bool(lines) and all(VARIABLE.match(line) for line in lines)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@cache
def blocks(page: str | None = None) -> list[Block]:
    """All blocks, or those of one page, such as "install.md"."""
    return [
        Block(
            path.name,
            text[: found.start()].count("\n") + 1,
            found["language"],
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
        )
        for path in pages()
        if page in {None, path.name}
        for text in [path.read_text(encoding="utf-8")]
        for found in FENCE.finditer(text)
    ]


def block(page: str, containing: str) -> Block:
    """The one block of a page that contains a text.

    A call with two literal arguments is how a test claims a block: `test_every_block.py` reads
    these calls, and fails for a block that no test claims.
    """
    [found] = [one for one in blocks(page) if containing in one.text]
    return found
