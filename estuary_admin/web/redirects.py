"""Redirects: to another page, and to a `next` that is safe."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from keys.upstream.redaction import holds_token

MAX_NEXT_LENGTH = 2000  # proxies refuse longer Location headers


def go_to(request: HttpRequest, to: str) -> HttpResponse:
    """Redirect to a path, or to the page of a view's name.

    htmx would follow a redirect and swap the page into a part, so it is told to leave the page.
    """
    address = to if to.startswith(("/", "https://", "http://")) else resolve_url(to)
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address)


def can_visit(address: str) -> bool:
    """Whether `address` is a path of this console that a browser can open with GET.

    Every `next` passes through here. It holds no token, since it is repeated in pages and logs.
    """
    is_path = address.startswith("/") and url_has_allowed_host_and_scheme(address, None)
    if not is_path or len(address) > MAX_NEXT_LENGTH or address_holds_token(address):
        return False
    path, prefix = unquote(urlsplit(address).path), get_script_prefix()
    if not path.startswith(prefix):
        return False
    inner = "/" + path.removeprefix(prefix)
    return _answers_get(inner) or _answers_get(f"{inner}/")


def address_holds_token(address: str) -> bool:
    """Whether a token is in the address, also if each of its characters is percent-encoded."""
    return holds_token(address) or holds_token(unquote(address))


def _answers_get(path: str) -> bool:
    try:
        view: Callable[..., Any] | None = resolve(path).func
    except Resolver404:
        return False
    while view is not None:
        # `require_http_methods` keeps its list in a closure and nowhere else.
        methods = inspect.getclosurevars(view).nonlocals.get("request_method_list")
        if methods is not None:
            return "GET" in methods
        view = getattr(view, "__wrapped__", None)
    return True


def page_of(request: HttpRequest) -> str:
    """Return the page to come back to after sign-in, or "" if there is none.

    This is the requested address if GET opens it, else the page that the form or part is on.
    """
    if not getattr(request, "htmx", False):
        own = request.get_full_path() if request.method in {"GET", "HEAD"} else request.path
        if can_visit(own):
            return own
    return page_before(request)


def page_before(request: HttpRequest) -> str:
    """Return the page that the request was sent from, or "" if the browser does not tell it."""
    is_part = bool(getattr(request, "htmx", False))
    try:
        page = urlsplit(request.headers.get("HX-Current-URL" if is_part else "Referer", ""))
    except ValueError:  # such as "http://[::1"
        return ""
    if (page.scheme, page.netloc) != (request.scheme, request.get_host()):
        return ""
    address = page._replace(scheme="", netloc="", fragment="").geturl()
    return address if can_visit(address) else ""
