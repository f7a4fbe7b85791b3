"""Every page in every state, for screenshots, axe and the HTML checks.

This is the one list to add a new page to; `test_accessibility.py` compares it with the templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

from estuary_admin.sso.refusals import NotBelieved
from keys.sandbox import Fault
from tests.browser import plays
from tests.browser.factor_plays import confirmation, second_factor, with_a_passkey
from tests.browser.plays import Play, at, fault, first_row, rendered


@dataclass(frozen=True)
class Scene:
    """One state of one page; `play` leads a signed-in member's page there."""

    name: str
    template: str
    member: str
    play: Play
    has_scripts: bool = True


SIGN_IN, SIGN_OUT, CONNECT = "account/login", "account/logout", "keys/token_connect"
LIST, KEY, CREATE, CREATED = (
    "keys/key_list",
    "keys/key_detail",
    "keys/key_create",
    "keys/key_created",
)
REVOKE, EXPIRED, OUTCOME = "keys/key_revoke", "keys/key_revoke_expired", "keys/key_create_outcome"
MANY = "keys/key_create_many"
FIND, BULK = "keys/key_find", "keys/bulk_change"
ROTATE = "keys/key_rotate"
STATS, EXPORTS, ACCOUNT = "keys/stats", "keys/exports", "keys/account"
TROUBLE, UNREADABLE, DISCONNECT = (
    "keys/upstream_error",
    "keys/token_unreadable",
    "keys/token_disconnect",
)
CONFIRM = "account/reauthenticate"
PASSKEY_REMOVE = "mfa/webauthn/authenticator_confirm_delete"
SILENT = Fault("silent-ok", times=1)
PROVIDERS = [SimpleNamespace(id="example", name="Example Identity")]

SCENES = [
    # Signing in and out
    Scene("sign-in", SIGN_IN, "", at("/accounts/login/")),
    Scene("sign-in-refused", SIGN_IN, "", plays.refused_sign_in),
    Scene("sign-in-chosen", "sso/choose", "", rendered("sso/choose.html", providers=PROVIDERS)),
    Scene("sign-in-onward", "sso/onward", "", rendered("sso/onward.html", there="#")),
    Scene("sign-in-off", "account/account_inactive", "", at("/accounts/inactive/")),
    Scene("sign-out", SIGN_OUT, "alice", at("/accounts/logout/")),
    Scene("signed-out", "sso/signed_out", "", rendered("sso/signed_out.html")),
    Scene("password", "account/password_change", "alice", at("/accounts/password/change/")),
    Scene("confirm", CONFIRM, "", confirmation),
    Scene("confirm-with-nothing", CONFIRM, "", rendered("account/reauthenticate.html")),
    Scene("second-factor", "mfa/authenticate", "keeper", second_factor),
    Scene(
        "no-proof",
        "sso/no_proof",
        "",
        rendered("sso/no_proof.html", reason=NotBelieved.MISSING, account_url="#", retry_url="#"),
    ),
    # Sign-in security
    Scene("security", "mfa/index", "team", at("/accounts/security/")),
    Scene("security-passkey", "mfa/index", "keeper", with_a_passkey()),
    Scene("app-add", "mfa/totp/activate_form", "team", at("/accounts/security/app/add/")),
    Scene("app-remove", "mfa/totp/deactivate_form", "", rendered("mfa/totp/deactivate_form.html")),
    Scene("passkey-add", "mfa/webauthn/add_form", "team", at("/accounts/security/passkeys/add/")),
    Scene("passkey-rename", "mfa/webauthn/edit_form", "keeper", with_a_passkey(follow="Rename")),
    Scene("passkey-remove", PASSKEY_REMOVE, "keeper", with_a_passkey(follow="Remove")),
    Scene("codes", "mfa/recovery_codes/index", "keeper", with_a_passkey("codes/")),
    Scene("codes-new", "mfa/recovery_codes/generate", "keeper", with_a_passkey("codes/new/")),
    # Connecting
    Scene("connect", CONNECT, "bob", at("/account/token/")),
    Scene("connect-refused", CONNECT, "bob", plays.refused_token),
    Scene("connect-unscripted", CONNECT, "bob", at("/account/token/"), has_scripts=False),
    Scene("replace", CONNECT, "alice", at("/account/token/")),
    Scene("disconnect", DISCONNECT, "alice", at("/account/token/disconnect/")),
    Scene("unreadable", UNREADABLE, "alice", rendered("keys/token_unreadable.html")),
    # The list
    Scene("keys-empty", LIST, "empty", at("/keys/")),
    Scene("keys-one", LIST, "team", at("/keys/?q=console")),
    Scene("keys-team", LIST, "team", at("/keys/")),
    Scene("keys-unscripted", LIST, "team", at("/keys/?fresh=1"), has_scripts=False),
    Scene("keys-showcase", LIST, "alice", at("/keys/")),
    Scene("keys-sorted", LIST, "alice", at("/keys/?sort=-expiry")),
    Scene("keys-expired", LIST, "alice", at("/keys/?status=expired")),
    Scene("keys-searched", LIST, "alice", at("/keys/?q=upload")),
    Scene("keys-right-to-left", LIST, "alice", at("/keys/?q=גיבוי")),
    Scene("keys-nothing-found", LIST, "alice", at("/keys/?q=zebra")),
    Scene("keys-many", LIST, "many", at("/keys/?page=3")),
    Scene("keys-long", LIST, "long", at("/keys/?status=all")),
    Scene("keys-new-row", LIST, "alice", plays.back_at_the_list("New")),
    Scene("keys-new-row-missing", LIST, "alice", plays.back_at_the_list("does not list", SILENT)),
    Scene("keys-waiting", LIST, "team", plays.held(".progress")),
    Scene("keys-slow", LIST, "team", plays.held("text=Estuary is slow to answer")),
    Scene("keys-cut-off", LIST, "team", plays.no_connection),
    Scene("keys-session-over", LIST, "team", plays.session_over),
    Scene("keys-stale", LIST, "stale", fault("list", "502-html", "/keys/?fresh=1")),
    Scene("keys-unreachable", TROUBLE, "down", plays.unreachable),
    Scene("shortcuts-dialog", LIST, "team", plays.shortcuts_dialog),
    # A new key
    Scene("create", CREATE, "alice", at("/keys/new/")),
    Scene("create-unscripted", CREATE, "alice", at("/keys/new/"), has_scripts=False),
    Scene("create-never", CREATE, "alice", plays.never_chosen),
    Scene("create-errors", CREATE, "alice", plays.form_with_errors),
    Scene("create-dialog", CREATE, "team", plays.create_dialog),
    Scene("create-dialog-errors", CREATE, "team", plays.dialog_with_errors),
    Scene("created", CREATED, "alice", plays.created),
    Scene("created-shown", CREATED, "alice", plays.created_and_shown),
    Scene("created-unscripted", CREATED, "alice", plays.created, has_scripts=False),
    Scene("created-dialog", CREATED, "alice", plays.created_dialog),
    Scene("created-dialog-uncopied", CREATED, "alice", plays.uncopied_dialog),
    Scene("create-lost", OUTCOME, "alice", plays.answer_lost),
    # One key
    Scene("key", KEY, "team", first_row("/keys/", "detail")),
    Scene("key-with-history", KEY, "alice", plays.audited_key),
    Scene("key-long", KEY, "long", first_row("/keys/?sort=-label", "detail")),
    Scene("key-right-to-left", KEY, "alice", first_row("/keys/?q=גיבוי", "detail")),
    Scene("key-legacy", KEY, "alice", first_row("/keys/?status=legacy", "detail")),
    Scene("revoke", REVOKE, "team", first_row("/keys/", "revoke-page")),
    Scene("revoke-own", REVOKE, "alice", first_row("/keys/?q=console", "revoke-page")),
    Scene("revoke-dialog", REVOKE, "team", first_row("/keys/", "revoke-dialog")),
    Scene("revoke-expired", EXPIRED, "alice", at("/keys/revoke-expired/")),
    Scene("revoke-expired-done", "keys/bulk_change", "expired", plays.revoked_expired),
    Scene("find", FIND, "alice", at("/keys/find/")),
    Scene("find-unscripted", FIND, "alice", at("/keys/find/"), has_scripts=False),
    Scene("find-error", FIND, "alice", plays.found("no token")),
    Scene("found", FIND, "alice", plays.found_own_and_others),
    Scene("found-by-admin", FIND, "carol", plays.found_own_and_others),
    Scene("found-asked", FIND, "alice", plays.asked_about_found),
    Scene("revoke-leaked", REVOKE, "alice", plays.leaked_key),
    Scene("rotate", ROTATE, "team", plays.rotate_form("nightly")),
    Scene("rotate-own", ROTATE, "alice", plays.rotate_form("console")),
    Scene("rotate-ended", ROTATE, "team", plays.rotate_form("laptop"), has_scripts=False),
    Scene("rotated", CREATED, "alice", plays.rotated),
    Scene("rotated-unscripted", CREATED, "alice", plays.rotated, has_scripts=False),
    Scene("rotation", "keys/key_rotation", "alice", plays.rotation),
    Scene("key-rotated", KEY, "alice", plays.rotated_key),
    Scene("create-many", MANY, "alice", at("/keys/new/many/")),
    Scene("create-many-unscripted", MANY, "alice", at("/keys/new/many/"), has_scripts=False),
    Scene("create-many-errors", MANY, "alice", plays.many_created("a\na", told="alert")),
    Scene("created-many", "keys/key_created_many", "alice", plays.many_created("web\nci")),
    Scene(
        "created-many-unscripted",
        "keys/key_created_many",
        "alice",
        plays.many_created("web\nci"),
        has_scripts=False,
    ),
    Scene("bulk-preview", BULK, "team", plays.bulk_preview("revoke", "uploader")),
    Scene("bulk-notes", BULK, "team", plays.bulk_preview("note", "uploader")),
    Scene("bulk-reminders", BULK, "team", plays.bulk_preview("remind", "uploader")),
    Scene("bulk-waiting", BULK, "many", plays.bulk_started("a")),
    Scene("bulk-unscripted", BULK, "team", plays.bulk_preview("revoke", "uploader"), False),
    Scene("bulk-done", BULK, "alice", plays.bulk_started("former robot")),
    Scene("note", "keys/key_note", "team", plays.note_form, has_scripts=False),
    Scene("note-in-place", KEY, "team", plays.note_form),
    Scene("note-saved", KEY, "alice", plays.note_saved),
    Scene("keys-noted", LIST, "alice", plays.noted_list),
    # The other pages
    Scene("stats", STATS, "alice", at("/stats/")),
    Scene("stats-empty", STATS, "empty", at("/stats/")),
    Scene("stats-menu", STATS, "alice", plays.menu_open),
    Scene("stats-unreachable", TROUBLE, "busy", fault("stats", "429", "/stats/")),
    Scene("exports", EXPORTS, "alice", plays.exported),
    Scene("exports-running", EXPORTS, "busy", plays.export_running),
    Scene("exports-admin", EXPORTS, "carol", at("/exports/")),
    Scene("export-queued", "keys/export", "team", plays.export_queued),
    Scene("export-ready", "keys/export", "", plays.export_ready),
    Scene("team-export", "keys/team_export", "", plays.team_export),
    Scene("export-compare", "keys/export_compare", "", plays.exports_compared),
    Scene("audit", "keys/audit", "alice", at("/audit/")),
    Scene("audit-wrong-filter", "keys/audit", "alice", at("/audit/?from=yesterday&key=%3C")),
    Scene("overview", "keys/overview", "carol", plays.synced("/overview/")),
    Scene("stats-history", STATS, "alice", plays.synced("/stats/?days=90")),
    Scene("team", "keys/team", "carol", plays.synced("/team/")),
    Scene("team-nobody", "keys/team", "carol", at("/team/?q=zebra"), has_scripts=False),
    Scene("team-keys", "keys/team_keys", "carol", plays.synced("/team/keys/")),
    Scene("team-keys-found", "keys/team_keys", "carol", plays.view_saved, has_scripts=False),
    Scene("team-member", "keys/team_member", "carol", plays.synced("/team/team/")),
    Scene("off-board", "keys/team_offboard", "carol", plays.dry_run),
    Scene("off-board-done", "keys/team_offboard", "carol", plays.off_boarded, has_scripts=False),
    Scene("invite", "keys/team_invite", "carol", at("/team/invite/")),
    Scene("link", "keys/team_link", "carol", at("/team/varied/link/")),
    Scene("link-made", "keys/team_link_made", "carol", plays.link_made),
    Scene("password-link", "account/password_link", "", plays.link_opened),
    Scene("password-link-over", "account/password_link_over", "", at("/accounts/link/none/")),
    Scene("ask-rotation", "keys/team_key_ask_rotation", "carol", plays.ask_a_member),
    Scene("team-key-revoke", "keys/team_key_revoke", "carol", plays.revoke_for_a_member),
    Scene("account", ACCOUNT, "alice", at("/account/")),
    Scene("reminders", "keys/reminders", "alice", plays.reminders_with_all),
    Scene("reminders-admin", "keys/reminders", "carol", at("/account/reminders/")),
    Scene("account-unconnected", ACCOUNT, "bob", at("/account/")),
    Scene("sso", "sso/sso_doctor", "carol", at("/admin-tools/sso/")),
    Scene("sso-identities", "sso/identities", "carol", at("/admin-tools/sso/identities/")),
    # Refusals
    Scene("not-found", "404", "alice", at("/keys/nothing-here/")),
    Scene("not-allowed", "403", "alice", at("/admin-tools/sso/")),
    Scene(
        "not-believed", "sso/refused", "", rendered("sso/refused.html", reason=NotBelieved.MISSING)
    ),
    Scene("not-readable", "400", "", rendered("400.html")),
    Scene("out-of-date", "403_csrf", "", plays.form_out_of_date),
    Scene("too-often", "429", "", rendered("429.html")),
    Scene("wrong-method", "405", "", rendered("405.html")),
    Scene("too-long", "431", "", rendered("431.html")),
    Scene("no-thread", "503_busy", "", rendered("503_busy.html")),
    Scene("disk-full", "503_storage", "", rendered("503_storage.html")),
    Scene("broken", "500", "", rendered("500.html")),
]
