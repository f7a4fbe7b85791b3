"""Redirects: to another page, for browsers and for htmx, and to an address with its slash."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.common import CommonMiddleware
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

from keys.upstream.redaction import with_hashes


def go_to(request: HttpRequest, to: str) -> HttpResponse:
    """Redirect to a path, or to the page of a view's name.

    htmx would follow a redirect and swap the page into a part, so it is told to leave the page.
    """
    address = to if to.startswith(("/", "https://", "http://")) else resolve_url(to)
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address)


class TokenFreeCommonMiddleware(CommonMiddleware):
    """Replaces tokens by their hashes when it redirects to an address with a slash at its end."""

    def get_full_path_with_slash(self, request: HttpRequest) -> str:
        return with_hashes(super().get_full_path_with_slash(request))
