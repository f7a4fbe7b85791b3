"""`{% url %}` without parameters and `{% static %}`, worked out once: a page's frame has twenty.

Built in by the settings, so that every template has it without loading anything.
"""

from __future__ import annotations

from functools import cache

from django import template
from django.template import Context
from django.template.base import Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as any_url
from django.templatetags.static import static as any_static

register = template.Library()


class FixedURLNode(URLNode):
    """An address that no request changes: neither routes nor prefix do, while a process lives."""

    address: str | None = None

    def render(self, context: Context) -> str:
        if self.address is None:
            self.address = super().render(context)
        return self.address


@register.tag
def url(parser: Parser, token: Token) -> URLNode:
    node = any_url(parser, token)
    is_fixed = isinstance(node.view_name.var, str)
    if not is_fixed or node.args or node.kwargs or node.asvar:
        return node
    return FixedURLNode(node.view_name, [], {}, None)


@register.simple_tag
@cache
def static(path: str) -> str:
    """A file's address with its hash, which a new release changes, and nothing else."""
    return any_static(path)
