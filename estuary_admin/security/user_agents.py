"""From a browser's long name for itself to the few words by which its owner knows it."""

from __future__ import annotations

#: The first that occurs decides: all claim to be several others, the special ones stand first.
BROWSERS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
]
SYSTEMS = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
]


def device_of(user_agent: str) -> str:
    """`Firefox on Linux`; nothing of what was sent is repeated."""
    browser = _first(BROWSERS, user_agent) or "A browser"
    system = _first(SYSTEMS, user_agent)
    if browser == "A browser" and not system:
        return "An unknown browser"
    return f"{browser} on {system}" if system else browser


def _first(known: list[tuple[str, str]], text: str) -> str:
    return next((words for mark, words in known if mark in text), "")
