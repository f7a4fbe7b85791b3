"""The CPU of every page divided by the CPU of a key's page, as ratios within one run.

Ratios tell about the pages: the speed of the machine is in both figures. `tests/bench` compares
ROUTES with the routes of the console, so that a new page cannot be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.load import body_of, load
from bench.plan import ROUTES_MEMBER, Plan
from bench.stage import Stage

WARM_UP = 8  # requests
KEY_PAGE = "key_detail"
#: Route name to address; `{hash}` is the hash of one of the member's keys, who is an admin.
ROUTES = {
    KEY_PAGE: "/keys/{hash}/",
    "key_list": "/keys/",
    "key_create": "/keys/new/",
    "key_revoke": "/keys/{hash}/revoke/",
    "key_create_many": "/keys/new/many/",
    "key_find": "/keys/find/",
    "key_rotate": "/keys/{hash}/rotate/",
    "key_note": "/keys/{hash}/note/",
    "key_revoke_expired": "/keys/revoke-expired/",
    "stats": "/stats/",
    "exports": "/exports/",
    "audit": "/audit/",
    "overview": "/overview/",
    "team": "/team/",
    "team_keys": "/team/keys/",
    "account": "/account/",
    "reminders": "/account/reminders/",
    "token_connect": "/account/token/",
    "token_disconnect": "/account/token/disconnect/",
    "account_change_password": "/accounts/password/change/",
    "mfa_index": "/accounts/security/",
    "account_logout": "/accounts/logout/",
    "sso_doctor": "/admin-tools/sso/",
    "sso_identities": "/admin-tools/sso/identities/",
    "account_login": "/accounts/login/",
}
#: Routes without a row, and why.
NOT_MEASURED = {
    "home": "redirects",
    "well_known_change_password": "redirects",
    "bulk_change": "needs a change that was prepared before",
    "bulk_cancel": "POST only",
    "bulk_retry": "POST only",
    "key_bulk": "POST only",
    "key_ends": "a file",
    "steps": "a few words, for a page that waits",
    "key_rotation": "redirects unless the key is being replaced",
    "feed": "a file, at an address that a member creates",
    "export": "needs a prepared export",
    "export_cancel": "POST only",
    "export_delete": "POST only",
    "export_compare": "needs two prepared exports",
    "export_compare_list": "a file",
    "export_file": "a file",
    "export_manifest": "a file",
    "export_prepare": "POST only",
    "export_schedule": "POST only",
    "export_stop": "POST only",
    "team_export": "needs a team export",
    "team_export_cancel": "POST only",
    "team_export_delete": "POST only",
    "team_export_file": "a file",
    "team_export_manifest": "a file",
    "team_export_retry": "POST only",
    "team_export_start": "POST only",
    "healthz": "for monitors",
    "readyz": "for monitors",
    "metrics": "for monitors",
    "audit_download": "a file",
    "team_keys_download": "a file",
    "team_member": "the rows of team_keys",
    "team_invite": "a form of three fields",
    "team_link": "a form without fields",
    "password_link": "a form of two fields",
    "team_key_ask_rotation": "a member's key; as key_revoke",
    "team_key_revoke": "a member's key; as key_revoke",
    "stats_download": "a file",
    "team_offboard": "the rows of team_keys",
    "team_offboard_report": "a file",
    "team_refresh": "POST only",
    "team_view_change": "POST only",
    "export_download": "a file; `make bench PART=exports` measures it",
    "account_local": "the form of account_login",
    "account_signed_out": "a notice",
    "account_signed_out_everywhere": "a notice",
    "account_inactive": "a notice",
    "account_reauthenticate": "redirects a member who proved their identity lately",
    "mfa_authenticate": "needs a sign-in that is half done",
    "mfa_login_webauthn": "needs a passkey",
    "mfa_activate_totp": "draws a QR code, once in the life of a member",
    "mfa_deactivate_totp": "needs an authenticator app",
    "mfa_view_recovery_codes": "needs recovery codes",
    "mfa_generate_recovery_codes": "needs a second factor",
    "mfa_add_webauthn": "needs a passkey",
    "mfa_edit_webauthn": "needs a passkey",
    "mfa_remove_webauthn": "needs a passkey",
    "oidc_login": "redirects to the provider",
    "oidc_callback": "redirects",
    "plain_text_dismiss": "POST only",
    "session_end": "POST only",
    "sessions_end_others": "POST only",
    "sso_identity_link": "POST only",
    "sso_identity_remove": "POST only",
}
#: Asked without a session.
SIGNED_OUT = {"account_login"}


@dataclass(frozen=True)
class RouteFigures:
    """CPU in ms of one request, and divided by that of a key's page; medians of the rounds."""

    name: str
    cpu_ms: float
    ratio: float


def measure(stage: Stage, plan: Plan) -> list[RouteFigures]:
    with stage.node() as node, stage.console(node) as console:
        addresses = dict(_addresses(stage, console.url))
        for name, (url, header) in addresses.items():
            print(f"  {name}", flush=True)
            for _ in range(WARM_UP):  # warms up both processes
                body_of(url, header)  # raises when the address redirects
        rounds = [
            {
                name: load(url, [header], 1, plan.seconds, console.pid).cpu_ms
                for name, (url, header) in addresses.items()
            }
            for _ in range(plan.rounds)
        ]
    return [
        RouteFigures(
            name,
            median(one[name] for one in rounds),
            median(one[name] / one[KEY_PAGE] for one in rounds),
        )
        for name in addresses
    ]


def _addresses(stage: Stage, url: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each route's URL, and the header to ask it with."""
    cookie = f"Cookie: {stage.cookies[ROUTES_MEMBER]}"
    links = re.findall(r'href="/keys/([\w-]{43})/"', body_of(f"{url}/keys/", cookie))
    for name, path in ROUTES.items():
        header = "Accept: text/html" if name in SIGNED_OUT else cookie
        yield name, (url + path.format(hash=links[0]), header)
