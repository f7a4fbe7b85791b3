"""Signing in: our forms in allauth's places, which passwords will do, when a factor is a must."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.sso.config import Config

MFA_FORMS = {
    "authenticate": "estuary_admin.security.forms.CodeForm",
    "authenticate_webauthn": "estuary_admin.security.forms.PasskeyForm",
    "login_webauthn": "estuary_admin.security.forms.PasskeySignInForm",
    "activate_totp": "estuary_admin.security.forms.AppAddForm",
    "add_webauthn": "estuary_admin.security.forms.PasskeyAddForm",
    "edit_webauthn": "estuary_admin.security.forms.PasskeyRenameForm",
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    }
]


def require_mfa(sso: Config) -> bool:
    required = env.flag("REQUIRE_MFA", default=False)
    if required and not (sso.is_local or sso.local_fallback):
        raise ImproperlyConfigured(
            f"REQUIRE_MFA is true, but SSO_MODE is {sso.mode!r}: second factors at sign-in are up "
            "to who vouches for members there. Take REQUIRE_MFA out, or set "
            "SSO_LOCAL_FALLBACK=true."
        )
    return required
