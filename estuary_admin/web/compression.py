"""Compress pages, except those another site asked for: see BREACH in docs/security.md."""

from __future__ import annotations

import brotli
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

#: `Sec-Fetch-Site` of requests that no other site can cause.
OWN_SITE = {"same-origin", "none"}
#: A small page arrives in one round trip anyway: level 3 takes a third of the time of level 5.
SMALL_PAGE_BYTES, SMALL_PAGE_QUALITY, LARGE_PAGE_QUALITY = 24 * 1024, 3, 5
BROTLI_WINDOW = 16  # 64 KiB: more than nearly any page has, and quick to allocate


class CompressionMiddleware(GZipMiddleware):
    """Brotli, or Django's gzip, for GET only: the response to a POST may hold a new key's token."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page or request.method != "GET" or not isinstance(response, HttpResponse):
            return response
        patch_vary_headers(response, ["Accept-Encoding", "Sec-Fetch-Site"])
        if request.headers.get("Sec-Fetch-Site") not in OWN_SITE:
            return response
        if "br" not in _encodings(request) or len(response.content) < 200:
            return super().process_response(request, response)
        is_small = len(response.content) < SMALL_PAGE_BYTES
        quality = SMALL_PAGE_QUALITY if is_small else LARGE_PAGE_QUALITY
        response.content = brotli.compress(response.content, quality=quality, lgwin=BROTLI_WINDOW)
        response["Content-Encoding"] = "br"
        response["Content-Length"] = str(len(response.content))
        return response


def _encodings(request: HttpRequest) -> list[str]:
    return [name.strip() for name in request.headers.get("Accept-Encoding", "").split(",")]
