"""The network traffic of a page."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import CDPSession


class Wire:
    """Counts bytes from the network, not those from a cache."""

    def __init__(self, session: CDPSession) -> None:
        self.document = ""
        self._sizes: dict[str, int] = {}
        self._cached: set[str] = set()
        session.send("Network.enable")
        session.on("Network.requestServedFromCache", lambda e: self._cached.add(e["requestId"]))
        session.on("Network.responseReceived", self._begun)
        session.on("Network.loadingFinished", self._finished)

    def take(self) -> dict[str, int]:
        """Bytes by request since the last call."""
        taken, self._sizes = self._sizes, {}
        return taken

    def _begun(self, event: dict[str, Any]) -> None:
        response = event["response"]
        if event["type"] == "Document":
            self.document = event["requestId"]
        if response.get("fromDiskCache") or not response["url"].startswith("http"):
            self._cached.add(event["requestId"])

    def _finished(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self._cached:
            self._sizes[event["requestId"]] = int(event["encodedDataLength"])
