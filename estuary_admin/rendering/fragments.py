"""Template fragments that are rendered once per variant, and the tags of every page.

Only the values are inserted later. A fragment's template remains the only place with its HTML.
Without this, a key list of 40 rows takes 14 ms of CPU instead of 3.5 (200 pages through the test
client).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage
from django.forms.utils import flatatt
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

INDENTATION = re.compile(r"\s*\n\s*")
PLACEHOLDER = "\ue000{}\ue001"  # private-use characters, which no template contains
LOADING_ATTRIBUTES: dict[str, dict[str, str | bool]] = {
    "module": {"type": "module"},
    "defer": {"defer": True},
}


def render_fragment(
    template_name: str, name: str, variant: NamedTuple, values: Mapping[str, str]
) -> SafeString:
    """Render a template whose context is `name`: the fields of `variant`, and `values`.

    Only `variant` may decide what the template outputs: the pattern is rendered with placeholders
    instead of the values. The values are escaped as in any template.
    """
    make = _pattern.__wrapped__ if settings.DEBUG else _pattern  # templates change in development
    pattern = make(template_name, name, variant, tuple(values))
    escaped = {
        field: value if isinstance(value, SafeString) else escape(value)
        for field, value in values.items()
    }
    return SafeString(pattern.format_map(escaped))


@lru_cache(maxsize=2000)
def _pattern(template_name: str, name: str, variant: NamedTuple, fields: tuple[str, ...]) -> str:
    """The rendered fragment as a format string, with `{field}` for each value."""
    placeholders = {field: PLACEHOLDER.format(field) for field in fields}
    html: str = render_to_string(template_name, {name: variant._asdict() | placeholders})
    html = INDENTATION.sub("\n", html)  # safe: no value is in it yet, and no fragment has a <pre>
    html = html.replace("{", "{{").replace("}", "}}")
    for field, placeholder in placeholders.items():
        html = html.replace(placeholder, f"{{{field}}}")
    return html


class NoVariant(NamedTuple):
    """For a fragment without variants, which is rendered once."""


class BarVariant(NamedTuple):
    """Everything that decides how the bar looks, except names."""

    here: str
    is_sandbox: bool
    is_signed_in: bool
    is_admin: bool
    has_sso: bool
    has_password: bool


@register.simple_tag
def fixed(path: str) -> SafeString:
    """A fragment that is the same on every page."""
    return render_fragment(path, "part", NoVariant(), {})


@register.simple_tag(takes_context=True)
def bar(context: Context) -> SafeString:
    """The bar at the top, with the account menu when a member is signed in."""
    console, match, member = context["console"], context["request"].resolver_match, context["user"]
    variant = BarVariant(
        here=match.url_name if match else "",
        is_sandbox=console.is_sandbox,
        is_signed_in=member.is_authenticated,
        is_admin=member.is_authenticated and console.is_admin,
        has_sso=console.has_sso and console.is_admin,
        has_password=console.has_password,
    )
    values = {"host": console.estuary_host, "name": member.get_username()}
    if variant.is_signed_in:  # reading the token sets its cookie, and others get no form here
        values["csrf_token"] = str(context["csrf_token"])
    return render_fragment("_bar.html", "bar", variant, values)


@register.simple_tag
def script(path: str, how: str = "module") -> SafeString:
    """A script with an integrity hash, so that browsers refuse a changed file.

    `how` is "module" or "defer", which both wait for the page.
    """
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
