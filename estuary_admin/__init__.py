"""The project: settings, signing in, headers; nothing about keys."""

from __future__ import annotations

VERSION = "0.1.0"
