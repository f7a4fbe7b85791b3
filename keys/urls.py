"""The console's routes (public interface: proxies, bookmarks and scripts rely on them)."""

from __future__ import annotations

from django.urls import path, register_converter

from keys.account import views as account
from keys.api_keys.query import HASH
from keys.api_keys.views import (
    key_create,
    key_detail,
    key_list,
    key_revoke,
    key_revoke_expired,
)
from keys.audit import views as audit
from keys.exports import views as exports
from keys.notes import views as notes
from keys.notices import feed_views as feeds
from keys.notices import views as notices
from keys.stats import views as stats
from keys.token import views as token


class TokenHash:
    """43 characters of unpadded base64url: a SHA-256."""

    regex = HASH

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TokenHash, "token_hash")
register_converter(TokenHash, "feed_secret")  # 32 random bytes are written in the same way

app_name = "keys"
urlpatterns = [
    path("keys/", key_list.key_list, name="key_list"),
    path("keys/new/", key_create.key_create, name="key_create"),
    path("keys/revoke-expired/", key_revoke_expired.key_revoke_expired, name="key_revoke_expired"),
    path("keys/<token_hash:token_hash>/", key_detail.key_detail, name="key_detail"),
    path("keys/<token_hash:token_hash>/revoke/", key_revoke.key_revoke, name="key_revoke"),
    path("keys/<token_hash:token_hash>/note/", notes.key_note, name="key_note"),
    path("keys/<token_hash:token_hash>/ends.ics", feeds.key_ends, name="key_ends"),
    path("stats/", stats.stats, name="stats"),
    path("exports/", exports.exports, name="exports"),
    path("exports/download/", exports.export_download, name="export_download"),
    path("exports/stop/", exports.export_stop, name="export_stop"),
    path("audit/", audit.audit, name="audit"),
    path("audit/download/", audit.audit_download, name="audit_download"),
    path("account/", account.account, name="account"),
    path("account/reminders/", notices.reminders, name="reminders"),
    path("feeds/<feed_secret:secret>/keys.ics", feeds.feed, name="feed"),
    path("account/token/", token.token_connect, name="token_connect"),
    path("account/token/disconnect/", token.token_disconnect, name="token_disconnect"),
]
