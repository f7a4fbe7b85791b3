"""Why it is not believed who somebody is: neither proxy nor provider proves it."""

from __future__ import annotations

from estuary_admin.sso.reasons import Reason


class NotBelieved(Reason):
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
