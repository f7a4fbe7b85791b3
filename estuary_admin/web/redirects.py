"""The redirect to an address with a slash at its end, which must not repeat a pasted token."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.common import CommonMiddleware

from keys.upstream.redaction import with_hashes


class TokenFreeCommonMiddleware(CommonMiddleware):
    """Leads a token in a path to its key, and one in a search to what the list has under it."""

    def get_full_path_with_slash(self, request: HttpRequest) -> str:
        return with_hashes(super().get_full_path_with_slash(request))
