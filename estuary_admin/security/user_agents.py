"""Turns a User-Agent header into a short name such as “Firefox on Linux”."""

from __future__ import annotations

#: The first match wins. Most browsers also claim to be Chrome or Safari, so those come last.
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


def device_name(user_agent: str) -> str:
    """Return one of our own names; no part of the header is repeated."""
    browser = _first_match(BROWSERS, user_agent) or "A browser"
    system = _first_match(SYSTEMS, user_agent)
    if browser == "A browser" and not system:
        return "An unknown browser"
    return f"{browser} on {system}" if system else browser


def _first_match(names: list[tuple[str, str]], text: str) -> str:
    return next((name for mark, name in names if mark in text), "")
