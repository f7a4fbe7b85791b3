"""The console's routes (public interface: proxies, bookmarks and scripts rely on them)."""

from __future__ import annotations

from django.urls import path, register_converter

from keys import steps
from keys.account import views as account
from keys.api_keys.query import HASH
from keys.api_keys.views import (
    key_bulk,
    key_create,
    key_create_many,
    key_detail,
    key_find,
    key_list,
    key_revoke,
    key_revoke_expired,
    key_rotate,
    key_rotation,
    plain_text_dismiss,
)
from keys.audit import views as audit
from keys.exports import comparison_views as comparisons
from keys.exports import file_views as export_files
from keys.exports import prepared_views as prepared_exports
from keys.exports import team_views as team_exports
from keys.exports import views as exports
from keys.notes import views as notes
from keys.notices import feed_views as feeds
from keys.notices import views as notices
from keys.stats import views as stats
from keys.team.views import (
    ask_rotation,
    invitations,
    offboard,
    overview,
    team,
    team_keys,
    team_member,
)
from keys.token import views as token


class TokenHash:
    """43 characters of unpadded base64url: a SHA-256."""

    regex = HASH

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class StepName(TokenHash):
    """A name that a page makes up for one form that it sends."""

    regex = steps.NAME


register_converter(StepName, "step_name")
register_converter(TokenHash, "token_hash")
register_converter(TokenHash, "feed_secret")  # 32 random bytes are written in the same way

app_name = "keys"
urlpatterns = [
    path("keys/", key_list.key_list, name="key_list"),
    path("keys/new/", key_create.key_create, name="key_create"),
    path("keys/new/many/", key_create_many.key_create_many, name="key_create_many"),
    path("keys/find/", key_find.key_find, name="key_find"),
    path(
        "keys/plain-text/dismiss/",
        plain_text_dismiss.plain_text_dismiss,
        name="plain_text_dismiss",
    ),
    path("keys/bulk/", key_bulk.key_bulk, name="key_bulk"),
    path("keys/bulk/<uuid:number>/", key_bulk.bulk_change, name="bulk_change"),
    path("keys/bulk/<uuid:number>/cancel/", key_bulk.bulk_cancel, name="bulk_cancel"),
    path("keys/bulk/<uuid:number>/retry/", key_bulk.bulk_retry, name="bulk_retry"),
    path("keys/steps/<step_name:name>/", steps.steps, name="steps"),
    path("keys/revoke-expired/", key_revoke_expired.key_revoke_expired, name="key_revoke_expired"),
    path("keys/<token_hash:token_hash>/", key_detail.key_detail, name="key_detail"),
    path("keys/<token_hash:token_hash>/revoke/", key_revoke.key_revoke, name="key_revoke"),
    path("keys/<token_hash:token_hash>/rotate/", key_rotate.key_rotate, name="key_rotate"),
    path("keys/<token_hash:token_hash>/rotation/", key_rotation.key_rotation, name="key_rotation"),
    path("keys/<token_hash:token_hash>/note/", notes.key_note, name="key_note"),
    path("keys/<token_hash:token_hash>/ends.ics", feeds.key_ends, name="key_ends"),
    path("stats/", stats.stats, name="stats"),
    path("stats/download/", stats.stats_download, name="stats_download"),
    path("exports/", exports.exports, name="exports"),
    path("exports/download/", exports.export_download, name="export_download"),
    path("exports/stop/", exports.export_stop, name="export_stop"),
    path("exports/prepare/", prepared_exports.export_prepare, name="export_prepare"),
    path("exports/schedule/", prepared_exports.export_schedule, name="export_schedule"),
    path("exports/compare/", comparisons.export_compare, name="export_compare"),
    path("exports/compare/list/", comparisons.export_compare_list, name="export_compare_list"),
    path("exports/team/", team_exports.team_export_start, name="team_export_start"),
    path("exports/team/<uuid:number>/", team_exports.team_export, name="team_export"),
    path(
        "exports/team/<uuid:number>/file/", team_exports.team_export_file, name="team_export_file"
    ),
    path(
        "exports/team/<uuid:number>/manifest.json",
        team_exports.team_export_manifest,
        name="team_export_manifest",
    ),
    path(
        "exports/team/<uuid:number>/cancel/",
        team_exports.team_export_cancel,
        name="team_export_cancel",
    ),
    path(
        "exports/team/<uuid:number>/retry/",
        team_exports.team_export_retry,
        name="team_export_retry",
    ),
    path(
        "exports/team/<uuid:number>/delete/",
        team_exports.team_export_delete,
        name="team_export_delete",
    ),
    path("exports/<uuid:number>/", prepared_exports.export, name="export"),
    path("exports/<uuid:number>/file/", export_files.export_file, name="export_file"),
    path(
        "exports/<uuid:number>/manifest.json", export_files.export_manifest, name="export_manifest"
    ),
    path("exports/<uuid:number>/cancel/", prepared_exports.export_cancel, name="export_cancel"),
    path("exports/<uuid:number>/delete/", prepared_exports.export_delete, name="export_delete"),
    path("audit/", audit.audit, name="audit"),
    path("audit/download/", audit.audit_download, name="audit_download"),
    path("overview/", overview.overview, name="overview"),
    path("team/", team.team, name="team"),
    path("team/refresh/", team.team_refresh, name="team_refresh"),
    path("team/invite/", invitations.team_invite, name="team_invite"),
    path("team/keys/", team_keys.team_keys, name="team_keys"),
    path("team/keys/download/", team_keys.team_keys_download, name="team_keys_download"),
    path("team/keys/views/", team_keys.team_view_change, name="team_view_change"),
    path("team/<str:username>/", team_member.team_member, name="team_member"),
    path("team/<str:username>/link/", invitations.team_link, name="team_link"),
    path("team/<str:username>/offboard/", offboard.team_offboard, name="team_offboard"),
    path(
        "team/<str:username>/offboard/report.json",
        offboard.team_offboard_report,
        name="team_offboard_report",
    ),
    path(
        "team/<str:username>/keys/<token_hash:token_hash>/revoke/",
        team_member.team_key_revoke,
        name="team_key_revoke",
    ),
    path(
        "team/<str:username>/keys/<token_hash:token_hash>/ask-rotation/",
        ask_rotation.team_key_ask_rotation,
        name="team_key_ask_rotation",
    ),
    path("account/", account.account, name="account"),
    path("account/reminders/", notices.reminders, name="reminders"),
    path("feeds/<feed_secret:secret>/keys.ics", feeds.feed, name="feed"),
    path("account/token/", token.token_connect, name="token_connect"),
    path("account/token/disconnect/", token.token_disconnect, name="token_disconnect"),
]
