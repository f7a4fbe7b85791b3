"""Why a sign-in is refused: a code, a sentence for the person, a fix for the operator."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """The base of `NotBelieved` and `NotAdmitted`."""

    def __init__(self, code: str, sentence: str, fix: str) -> None:
        self.code, self.sentence, self.fix = code, sentence, fix


class Refused(Exception):
    """The sign-in is refused for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


class NotBelieved(Reason):
    """The proxy or the provider did not prove who this is."""

    UNTRUSTED_PEER = (
        "untrusted-peer",
        "This request did not come through the sign-in proxy, so nothing in it was believed.",
        (
            "Open the console at its public address. If this was the proxy, add its address to "
            "SSO_TRUSTED_PROXIES."
        ),
    )
    WRONG_SECRET = (
        "wrong-secret",
        "The sign-in proxy did not prove itself with its secret, so nothing in it was believed.",
        "Let the proxy set the header X-Proxy-Secret to a value of SSO_PROXY_SECRET.",
    )
    MISSING = (
        "missing-identity",
        "The sign-in proxy did not say who you are.",
        (
            "Let the proxy ask for sign-in on every path and send the configured header; "
            "“manage.py sso_doctor” tells which one that is."
        ),
    )
    MALFORMED = (
        "malformed-identity",
        (
            "The sign-in proxy sent something that cannot be one name: a header that stands twice, "
            "holds a comma or control characters, or is too long."
        ),
        "Let the proxy replace the client's copies of its headers, not add to them.",
    )
    NOT_AN_ASSERTION = (
        "not-an-assertion",
        "The sign-in proxy sent something that is not a signed assertion.",
        "Look at SSO_JWT_HEADER: it must name the header with the JSON web token alone.",
    )
    WRONG_ALGORITHM = (
        "wrong-algorithm",
        "The assertion is signed in a way that is not allowed here.",
        "If your proxy is meant to sign so, add its algorithm to SSO_JWT_ALGORITHMS.",
    )
    UNKNOWN_KEY = (
        "unknown-key",
        "The assertion is signed with a key that the configured address does not list.",
        "Look at SSO_JWT_JWKS_URL: it must be that of the proxy which signs.",
    )
    KEYS_AWAY = (
        "keys-unavailable",
        "The keys that prove assertions cannot be fetched, so nobody can be let in.",
        "Make SSO_JWT_JWKS_URL reachable from this machine.",
    )
    WRONG_SIGNATURE = (
        "wrong-signature",
        "The assertion's signature is wrong.",
        "Somebody may be trying to get in with a made-up assertion: look at the proxy's log.",
    )
    WRONG_AUDIENCE = (
        "wrong-audience",
        "The assertion was made for another application.",
        "Set SSO_JWT_AUDIENCE to the “aud” of this application.",
    )
    WRONG_ISSUER = (
        "wrong-issuer",
        "The assertion comes from another issuer.",
        "Set SSO_JWT_ISSUER to the issuer exactly as the proxy writes it, final slash included.",
    )
    EXPIRED = (
        "expired",
        "The assertion has expired.",
        "Sign in again; if that does not help, compare the clocks of both machines.",
    )
    NOT_YET_VALID = (
        "not-yet-valid",
        "The assertion is not valid yet.",
        "Compare the clocks of both machines.",
    )
    INCOMPLETE = (
        "incomplete-assertion",
        "The assertion lacks something that it must state.",
        "It must hold exp, iat, aud, iss, sub and the claim that SSO_USER_CLAIM names.",
    )
    WRONG_NONCE = (
        "wrong-nonce",
        "The provider's answer belongs to another sign-in.",
        "Start again from the sign-in page.",
    )
    MIXED_UP = (
        "mixed-up",
        "The provider's two answers are about different people.",
        "Its user info endpoint must belong to the same issuer.",
    )
    PROVIDER = (
        "provider-failed",
        "Signing in at the provider did not work, or was begun somewhere else.",
        (
            "Start again from the sign-in page; if that does not help, look at SSO_OIDC_ISSUER, at "
            "the client's id and secret, and at the redirect address that the provider knows."
        ),
    )
    SOMEBODY_ELSE = (
        "somebody-else",
        "Somebody else signed in at the provider than who is signed in here.",
        "Sign in there as the same person, or sign out here first.",
    )
    NO_FRESH_PROOF = (
        "no-fresh-proof",
        "The provider does not confirm that you signed in just now.",
        (
            "It must heed prompt=login and max_age, and state auth_time in its ID tokens. If it "
            "cannot, members add a passkey or an app right after signing in; see docs/sso.md."
        ),
    )


class NotAdmitted(Reason):
    """It is proved who this is, but this person may not use the console."""

    NO_PERSON = (
        "no-person",
        "The assertion is about a program, not about a person.",
        "Service tokens cannot use this console: sign in as a person.",
    )
    NOT_IN_GROUPS = (
        "not-in-groups",
        "You are in none of the groups that may use this console.",
        (
            "Add the person to one of SSO_MEMBER_GROUPS or SSO_ADMIN_GROUPS, and see that the "
            "proxy sends the groups."
        ),
    )
    UNKNOWN_MEMBER = (
        "unknown-member",
        "You have no account here.",
        (
            "SSO_AUTO_CREATE is false: make the member with “manage.py createmember”, let the "
            "person come once more, and link the identity."
        ),
    )
    PENDING = (
        "pending",
        (
            "There is an account with your name already. Before you can use it, an admin must "
            "confirm that it is yours."
        ),
        "An admin links it at /admin-tools/sso/identities/.",
    )
    SWITCHED_OFF = (
        "switched-off",
        "Your account here is switched off.",
        "Ask an admin of this console if you think that is a mistake.",
    )
