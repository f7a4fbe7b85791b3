"""Compressed pages, but never beside text that somebody else chose: see docs/security.md."""

from __future__ import annotations

import brotli
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

#: What a browser sends for what the page itself or the person asked, and no other site.
OF_ONES_OWN = {"same-origin", "none"}
#: A small page comes in one round trip in any case: level 3 takes a third of the time of level 5.
SMALL, QUICK, THOROUGH = 24 * 1024, 3, 5
WINDOW = 16  # 64 KiB, more than nearly any page has; tables of that size are soon made


class OwnPagesCompressedMiddleware(GZipMiddleware):
    """Brotli, or Django's gzip, for answers to one's own questions.

    The answer to a form is left as it is: one of them holds the token of a new key.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page or request.method != "GET" or not isinstance(response, HttpResponse):
            return response
        patch_vary_headers(response, ["Accept-Encoding", "Sec-Fetch-Site"])
        if request.headers.get("Sec-Fetch-Site") not in OF_ONES_OWN:
            return response
        if "br" not in _encodings(request) or len(response.content) < 200:
            return super().process_response(request, response)
        quality = QUICK if len(response.content) < SMALL else THOROUGH
        response.content = brotli.compress(response.content, quality=quality, lgwin=WINDOW)
        response["Content-Encoding"] = "br"
        response["Content-Length"] = str(len(response.content))
        return response


def _encodings(request: HttpRequest) -> list[str]:
    return [name.strip() for name in request.headers.get("Accept-Encoding", "").split(",")]
