"""The four ways to sign in, and which variable is for which."""

from __future__ import annotations

MODES = ["local", "oidc", "proxy-jwt", "proxy-header"]
PROXIES = {"proxy-header", "proxy-jwt"}
SINGLE_SIGN_ON = {*PROXIES, "oidc"}


def modes_of(name: str) -> set[str]:
    if name.startswith("SSO_JWT_"):
        return {"proxy-jwt"}
    if name.startswith("SSO_OIDC_"):
        return {"oidc"}
    if name.endswith(("_HEADER", "_SEPARATOR")):
        return {"proxy-header"}
    if name in {"SSO_TRUSTED_PROXIES", "SSO_PROXY_SECRET"}:
        return PROXIES
    if name.endswith("_CLAIM"):
        return {"proxy-jwt", "oidc"}
    return SINGLE_SIGN_ON
