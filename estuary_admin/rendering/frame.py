"""Template tags for the parts around every page."""

from __future__ import annotations

from typing import NamedTuple

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from estuary_admin.rendering.fragments import render_fragment

register = template.Library()


class NoVariant(NamedTuple):
    """For a fragment without variants, which is rendered once."""


class BarVariant(NamedTuple):
    """Everything that decides how the bar looks, except names."""

    here: str
    is_sandbox: bool
    is_signed_in: bool
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
        has_sso=console.has_sso and console.is_admin,
        has_password=console.has_password,
    )
    values = {"host": console.estuary_host, "name": member.get_username()}
    if variant.is_signed_in:  # reading the token sets its cookie, and others get no form here
        values["csrf_token"] = str(context["csrf_token"])
    return render_fragment("_bar.html", "bar", variant, values)
