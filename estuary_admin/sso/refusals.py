"""The reasons for refused sign-ins: a code, a sentence for the person, a fix for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Explanation:
    """The words of a reason in one mode of single sign-on."""

    code: str
    sentence: str
    fix: str


class Reason(Enum):
    """The base of `NotBelieved` and `NotAdmitted`.

    The words of mode `oidc` come last, where they differ: a fix must not name a header or a
    setting of a mode that is not in use.
    """

    def __init__(
        self, code: str, sentence: str, fix: str, oidc_fix: str = "", oidc_sentence: str = ""
    ) -> None:
        self.code, self.sentence, self.fix = code, sentence, fix
        self._oidc_fix, self._oidc_sentence = oidc_fix, oidc_sentence

    def explained(self, mode: str) -> Explanation:
        if mode != "oidc":
            return Explanation(self.code, self.sentence, self.fix)
        return Explanation(
            self.code, self._oidc_sentence or self.sentence, self._oidc_fix or self.fix
        )


class Refused(Exception):
    """The sign-in is refused for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


class NotBelieved(Reason):
    """The proxy or the provider did not prove who this is."""

    UNTRUSTED_PEER = (
        "untrusted-peer",
        "This request did not come through the sign-in proxy, so its headers were ignored.",
        (
            "Open the console at its public address. If the proxy sent this request, add its "
            "address to SSO_TRUSTED_PROXIES."
        ),
    )
    WRONG_SECRET = (
        "wrong-secret",
        "The sign-in proxy did not send its secret, so its headers were ignored.",
        "Let the proxy set the header X-Proxy-Secret to a value of SSO_PROXY_SECRET.",
    )
    MISSING = (
        "missing-identity",
        "The sign-in proxy did not say who you are.",
        (
            "Let the proxy ask for sign-in on every path and send the configured header; "
            "“manage.py sso_doctor” names it."
        ),
    )
    MALFORMED = (
        "malformed-identity",
        (
            "The sign-in proxy sent something that cannot be one name: a header that occurs twice, "
            "contains a comma, control characters or nothing visible, or is too long."
        ),
        "Let the proxy replace the client's copies of its headers, not add to them.",
    )
    AMBIGUOUS_NAME = (
        "ambiguous-name",
        (
            "Your name contains characters that look like other ones, so it could be confused with "
            "somebody else's."
        ),
        (
            "Let the proxy send the name in Unicode's form NFKC, or a stable id as well: set "
            "SSO_ID_HEADER."
        ),
    )
    MALFORMED_CLAIM = (
        "malformed-claim",
        "The assertion contains a claim that this console cannot use.",
        (
            "“sub” and the claim that SSO_USER_CLAIM names must be texts of at most 254 visible "
            "characters; groups must be a list of texts."
        ),
    )
    NOT_AN_ASSERTION = (
        "not-an-assertion",
        "The sign-in proxy sent something that is not a signed assertion.",
        "Check SSO_JWT_HEADER: this header must contain a JSON web token and nothing else.",
        "Check that SSO_OIDC_SCOPES contains openid and that the provider is an OpenID provider.",
        "The provider sent no signed ID token.",
    )
    WRONG_ALGORITHM = (
        "wrong-algorithm",
        "The assertion is signed with an algorithm that is not allowed here.",
        "If your proxy is meant to use this algorithm, add it to SSO_JWT_ALGORITHMS.",
        "Let the provider sign ID tokens with a public key, for example with RS256 or ES256.",
    )
    UNKNOWN_KEY = (
        "unknown-key",
        "The assertion is signed with a key that the configured address does not list.",
        "Check SSO_JWT_JWKS_URL: it must be the address of the proxy that signs.",
        "The provider must list its signing keys at the address “jwks_uri” of its description.",
        "The ID token is signed with a key that the provider does not list.",
    )
    KEYS_AWAY = (
        "keys-unavailable",
        "The keys that verify assertions cannot be fetched, so nobody can sign in.",
        "Make SSO_JWT_JWKS_URL reachable from this machine.",
        "Make the address “jwks_uri” of the provider's description reachable from this machine.",
    )
    WRONG_SIGNATURE = (
        "wrong-signature",
        "The assertion's signature is wrong.",
        "Somebody may be trying to sign in with a forged assertion: check the proxy's log.",
        "Check that the provider signs with the keys that it lists.",
    )
    WRONG_AUDIENCE = (
        "wrong-audience",
        "The assertion was made for another application.",
        "Set SSO_JWT_AUDIENCE to the “aud” of this application.",
        "Check SSO_OIDC_CLIENT_ID: the provider's ID token names another client.",
    )
    WRONG_ISSUER = (
        "wrong-issuer",
        "The assertion comes from another issuer.",
        "Set SSO_JWT_ISSUER to the issuer exactly as the proxy writes it, final slash included.",
        "Set SSO_OIDC_ISSUER to the provider's “issuer” exactly, final slash included.",
    )
    EXPIRED = (
        "expired",
        "The assertion has expired.",
        "Sign in again. If that does not help, compare the clocks of both machines.",
    )
    NOT_YET_VALID = (
        "not-yet-valid",
        "The assertion is not valid yet.",
        "Compare the clocks of both machines.",
    )
    INCOMPLETE = (
        "incomplete-assertion",
        "The assertion lacks a claim that this console needs.",
        "It must contain exp, iat, aud, iss, sub and the claim that SSO_USER_CLAIM names.",
        (
            "ID token or user info must contain sub and the claim that SSO_USER_CLAIM names "
            "(preferred_username unless set); some providers need a scope for it."
        ),
        "The provider did not send everything that this console needs to know you.",
    )
    WRONG_NONCE = (
        "wrong-nonce",
        "The provider's answer belongs to another sign-in.",
        "Start again from the sign-in page.",
    )
    MIXED_UP = (
        "mixed-up",
        "The provider's two answers are about different people.",
        "The provider's user info endpoint must belong to the same issuer.",
    )
    SIGN_IN_LOST = (
        "sign-in-lost",
        "This sign-in is used up, too old, or was started in another browser.",
        "Start again from the sign-in page; nothing needs to be changed.",
    )
    CANCELLED = (
        "cancelled",
        "The sign-in was cancelled at the provider.",
        (
            "Start again from the sign-in page. If the person did not cancel, check whether the "
            "provider allows this person to use this application."
        ),
    )
    PROVIDER_BUSY = (
        "provider-busy",
        "The provider cannot sign you in at the moment.",
        (
            "Try again in a few minutes. If this stays, check the provider's log, and that this "
            "machine reaches all its addresses."
        ),
    )
    PROVIDER_DECLINED = (
        "provider-declined",
        "The provider did not complete the sign-in.",
        (
            "The provider's log says why. Check SSO_OIDC_SCOPES and what the provider allows this "
            "client to do."
        ),
    )
    PROVIDER_UNAVAILABLE = (
        "provider-unavailable",
        "The provider cannot be reached, or describes itself wrongly.",
        (
            "Check SSO_OIDC_ISSUER, and that this machine reaches the provider; "
            "“manage.py sso_doctor” tells what is wrong."
        ),
    )
    PROVIDER_FAILED = (
        "provider-failed",
        "The provider did not answer the console's question about you.",
        (
            "Check SSO_OIDC_CLIENT_ID, SSO_OIDC_CLIENT_SECRET, and the redirect address that the "
            "provider knows."
        ),
    )
    USER_INFO_FAILED = (
        "user-info-failed",
        "The provider did not say who you are.",
        "The provider's user info endpoint failed: check the provider's log.",
    )
    SOMEBODY_ELSE = (
        "somebody-else",
        "A different person signed in at the provider.",
        "Sign in there as the person who is signed in here, or sign out here first.",
    )
    NO_FRESH_PROOF = (
        "no-fresh-proof",
        "The provider does not confirm that you signed in just now.",
        (
            "The provider must support prompt=login and max_age, and send auth_time in its ID "
            "tokens. If it cannot, members add a passkey or an app right after signing in; see "
            "docs/sso.md."
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
            "Add the person to one of SSO_MEMBER_GROUPS or SSO_ADMIN_GROUPS, and check that the "
            "proxy sends the groups."
        ),
        (
            "Add the person to one of SSO_MEMBER_GROUPS or SSO_ADMIN_GROUPS, and check that the "
            "provider sends the claim that SSO_GROUPS_CLAIM names."
        ),
    )
    UNKNOWN_MEMBER = (
        "unknown-member",
        "You have no account here.",
        (
            "SSO_AUTO_CREATE is false: create the member with “manage.py createmember”, let the "
            "person sign in once more, and link the identity."
        ),
    )
    PENDING = (
        "pending",
        (
            "An account with your name exists already. Before you can use it, an admin must "
            "confirm that it is yours."
        ),
        "An admin links it at /admin-tools/sso/identities/.",
    )
    SWITCHED_OFF = (
        "switched-off",
        "Your account here is switched off.",
        "Ask an admin of this console if you think that is a mistake.",
    )
