"""Absolute addresses of pages, for mail, identity providers and background work."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import get_script_prefix, reverse


def public_address(view: str, **arguments: Any) -> str:
    """The address of a page below PUBLIC_URL."""
    return absolute_address(reverse(view, kwargs=arguments))


def absolute_address(path: str) -> str:
    """The address of a path that `reverse` returned.

    Django knows the path of PUBLIC_URL only in the threads of requests, so it is taken from the
    settings.
    """
    inner = path.removeprefix(get_script_prefix())
    return f"{settings.PUBLIC_ORIGIN}{settings.BASE_PATH}/{inner}"
