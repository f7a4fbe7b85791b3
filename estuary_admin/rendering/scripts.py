"""Script tags with an integrity hash, so that browsers refuse a changed file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage
from django.forms.utils import flatatt
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

LOADING_ATTRIBUTES: dict[str, dict[str, str | bool]] = {
    "module": {"type": "module"},
    "defer": {"defer": True},
}


@register.simple_tag
def script(path: str, how: str = "module") -> SafeString:
    """A script; `how` is "module" or "defer", which both wait for the page."""
    if settings.DEBUG:  # files change in development
        return _tag(path, how)
    return tag_with_hash(path, how)


@cache
def tag_with_hash(path: str, how: str) -> SafeString:
    digest = hashlib.sha384(_served(path)).digest()
    return _tag(path, how, integrity=f"sha384-{base64.b64encode(digest).decode()}")


def _tag(path: str, how: str, **more: str) -> SafeString:
    return format_html(
        "<script{}></script>", flatatt({"src": static(path), **LOADING_ATTRIBUTES[how], **more})
    )


def _served(path: str) -> bytes:
    """The file as it is served: `collectstatic` may have rewritten names in it."""
    if isinstance(staticfiles_storage, HashedFilesMixin):
        with staticfiles_storage.open(staticfiles_storage.stored_name(path)) as file:
            content: bytes = file.read()
        return content
    return Path(str(finders.find(path))).read_bytes()
