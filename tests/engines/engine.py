"""What a test does with a browser, in the terms that WebDriver and WebDriver BiDi share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from tests.support.processes import wait_until

ANSWER_SECONDS, CLICK_SECONDS, CLICKS = 30, 5, 3
#: The middle of the first visible link or button with a text, or of a field with a name.
PLACE = """((text, name) => {
  if (document.readyState !== 'complete') return null;  // its scripts may not listen yet
  const isVisible = (it) => it.checkVisibility({visibilityProperty: true});
  const root = document.querySelector('dialog[open]') ?? document;
  const named = root.querySelectorAll(`[name="${name}"]`);
  const told = [...root.querySelectorAll('a, button, summary')]
    .filter((it) => it.textContent.trim() === text);
  const found = [...(name ? named : told)].find(isVisible);
  if (!found) return null;
  window.isClicked = false;
  found.addEventListener('click', () => { window.isClicked = true; }, {capture: true, once: true});
  found.scrollIntoView({block: 'center'});
  const box = found.getBoundingClientRect();
  const place = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
  return found.contains(document.elementFromPoint(...place)) ? place : null;
})"""


class Engine(ABC):
    """A browser with one window."""

    @abstractmethod
    def go(self, address: str) -> None:
        """Open an address and wait until the page has loaded."""

    @abstractmethod
    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of the promise that it gives."""

    @abstractmethod
    def travel(self, steps: int) -> None:
        """Go back (-1) or forward (1) in the history, as the browser's buttons do."""

    @abstractmethod
    def _perform(self, sources: list[dict[str, Any]]) -> None:
        """Move the pointer or press keys, as a person does."""

    def click(self, text: str = "", *, name: str = "") -> None:
        """Click what has this text, or the field with this name, once it is visible.

        Closing a window of the browser's own can take a click, as it takes a person's.
        """
        for _ in range(CLICKS):
            self._click(f"{PLACE}({json.dumps(text)}, {json.dumps(name)})")
            try:  # the next page knows nothing of the click
                wait_until(lambda: self.run("window.isClicked !== false"), CLICK_SECONDS)
            except TimeoutError:
                continue
            return
        raise AssertionError(f"{text or name} took no click")

    def _click(self, place: str) -> None:
        self.wait_for(place)
        while (before := self.run(place)) != (now := self.run(place)):  # it still moves
            assert before
        x, y = now
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._perform([{"type": "pointer", "id": "mouse", "actions": moves}])

    def write(self, name: str, text: str) -> None:
        self.click(name=name)
        strokes = [
            {"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")
        ]
        self._perform([{"type": "key", "id": "keyboard", "actions": strokes}])

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        try:
            wait_until(lambda: self.run(f"!!({expression})"), ANSWER_SECONDS)
        except TimeoutError:
            seen = self.run("location.href + ' ' + document.body.innerText")
            raise AssertionError(f"{expression} never became true: {seen}") from None
