"""The headers, claims and addresses of well-known proxies, as defaults for the SSO_* variables."""

from __future__ import annotations

#: `SSO_PRESET` of `proxy-header`.
HEADER_PRESETS: dict[str, dict[str, str]] = {
    "oauth2-proxy": {
        "SSO_ID_HEADER": "X-Forwarded-User",
        "SSO_USER_HEADER": "X-Forwarded-Preferred-Username",
        "SSO_EMAIL_HEADER": "X-Forwarded-Email",
        "SSO_GROUPS_HEADER": "X-Forwarded-Groups",
        "SSO_LOGOUT_URL": "/oauth2/sign_out",
    },
    "authelia": {
        "SSO_USER_HEADER": "Remote-User",
        "SSO_EMAIL_HEADER": "Remote-Email",
        "SSO_NAME_HEADER": "Remote-Name",
        "SSO_GROUPS_HEADER": "Remote-Groups",
    },
    "authentik": {
        "SSO_ID_HEADER": "X-Authentik-Uid",
        "SSO_USER_HEADER": "X-Authentik-Username",
        "SSO_EMAIL_HEADER": "X-Authentik-Email",
        "SSO_NAME_HEADER": "X-Authentik-Name",
        "SSO_GROUPS_HEADER": "X-Authentik-Groups",
        "SSO_GROUPS_SEPARATOR": "|",
        "SSO_LOGOUT_URL": "/outpost.goauthentik.io/sign_out",
    },
    "tailscale": {
        "SSO_USER_HEADER": "Tailscale-User-Login",
        "SSO_EMAIL_HEADER": "Tailscale-User-Login",
        "SSO_NAME_HEADER": "Tailscale-User-Name",
    },
}

#: `SSO_PRESET` of `proxy-jwt`; `{issuer}`, `{public_url}` and `{public_host}` are filled in.
JWT_PRESETS: dict[str, dict[str, str]] = {
    "cloudflare-access": {
        "SSO_JWT_HEADER": "Cf-Access-Jwt-Assertion",
        "SSO_JWT_JWKS_URL": "{issuer}/cdn-cgi/access/certs",
        "SSO_JWT_ALGORITHMS": "RS256",
        "SSO_USER_CLAIM": "email",
        "SSO_LOGOUT_URL": "/cdn-cgi/access/logout",
    },
    "google-iap": {
        "SSO_JWT_HEADER": "X-Goog-Iap-Jwt-Assertion",
        "SSO_JWT_JWKS_URL": "https://www.gstatic.com/iap/verify/public_key-jwk",
        "SSO_JWT_ISSUER": "https://cloud.google.com/iap",
        "SSO_JWT_ALGORITHMS": "ES256",
        "SSO_USER_CLAIM": "email",
        "SSO_LOGOUT_URL": "/?gcp-iap-mode=CLEAR_LOGIN_COOKIE",
    },
    "pomerium": {
        "SSO_JWT_HEADER": "X-Pomerium-Jwt-Assertion",
        "SSO_JWT_JWKS_URL": "{public_url}/.well-known/pomerium/jwks.json",
        "SSO_JWT_ISSUER": "{public_host}",
        "SSO_JWT_AUDIENCE": "{public_host}",
        "SSO_JWT_ALGORITHMS": "ES256",
        "SSO_USER_CLAIM": "email",
        "SSO_GROUPS_CLAIM": "groups",
        "SSO_LOGOUT_URL": "/.pomerium/sign_out",
    },
    "authentik": {
        "SSO_JWT_HEADER": "X-Authentik-Jwt",
        "SSO_JWT_JWKS_URL": "{issuer}jwks/",
        "SSO_JWT_ALGORITHMS": "RS256",
        "SSO_USER_CLAIM": "preferred_username",
        "SSO_GROUPS_CLAIM": "groups",
        "SSO_LOGOUT_URL": "/outpost.goauthentik.io/sign_out",
    },
    "oauth2-proxy": {
        "SSO_JWT_HEADER": "Authorization",
        "SSO_JWT_ALGORITHMS": "RS256",
        "SSO_USER_CLAIM": "preferred_username",
        "SSO_GROUPS_CLAIM": "groups",
        "SSO_LOGOUT_URL": "/oauth2/sign_out",
    },
}

PRESETS = {"proxy-header": HEADER_PRESETS, "proxy-jwt": JWT_PRESETS}

#: Presets of proxies that encode text outside ASCII by RFC 2047.
RFC2047_PRESETS = {"tailscale"}
