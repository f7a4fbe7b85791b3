"""What stands around every page, filled into patterns of its kinds."""

from __future__ import annotations

from typing import NamedTuple

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from estuary_admin.rendering.fragments import filled

register = template.Library()


class Same(NamedTuple):
    """A part that knows no difference."""


class KindOfBar(NamedTuple):
    """All that decides how the bar looks, but for names."""

    here: str
    is_sandbox: bool
    is_signed_in: bool
    has_sso: bool
    has_password: bool


@register.simple_tag
def fixed(path: str) -> SafeString:
    """A part that is the same on every page."""
    return filled(path, "part", Same(), {})


@register.simple_tag(takes_context=True)
def bar(context: Context) -> SafeString:
    """The bar at the top, with the account menu for whoever is signed in."""
    console, match, member = context["console"], context["request"].resolver_match, context["user"]
    kind = KindOfBar(
        here=match.url_name if match else "",
        is_sandbox=console.is_sandbox,
        is_signed_in=member.is_authenticated,
        has_sso=console.has_sso and console.is_admin,
        has_password=console.has_password,
    )
    values = {"host": console.estuary_host, "name": member.get_username()}
    if kind.is_signed_in:  # to look at the token sets its cookie, and strangers get no form here
        values["csrf_token"] = str(context["csrf_token"])
    return filled("_bar.html", "bar", kind, values)
