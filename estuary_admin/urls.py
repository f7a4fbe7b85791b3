"""All routes: probes, sign-in, administration of sign-in, and the app's own."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path
from django.views.generic import RedirectView

from estuary_admin.observability.metrics import metrics
from estuary_admin.security import factor_views as security
from estuary_admin.security import identity_views, proof_views, session_views
from estuary_admin.security import link_views as links
from estuary_admin.security import password_views as password
from estuary_admin.security import sign_in_views as sign_in
from estuary_admin.sso import views as sso
from estuary_admin.web import health

handler400 = "estuary_admin.web.errors.bad_request"
handler403 = "estuary_admin.web.errors.permission_denied"
handler404 = "estuary_admin.web.errors.page_not_found"
handler500 = "estuary_admin.web.errors.server_error"
handler429 = "estuary_admin.security.throttles.too_many_attempts"

home = RedirectView.as_view(pattern_name="keys:key_list", http_method_names=["get", "head"])
change_password = RedirectView.as_view(
    pattern_name="account_change_password", http_method_names=["get", "head"]
)

urlpatterns = [
    path("", home, name="home"),
    path("", include("keys.urls")),  # first, because most requests are for these
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path(".well-known/change-password", change_password, name="well_known_change_password"),
    # There is no sign-up: `manage.py createmember` creates local accounts.
    path("accounts/login/", sso.sign_in, name="account_login"),
    path("accounts/local/", sso.sign_in_locally, name="account_local"),
    path("accounts/login/code/", sign_in.code_after_password, name="mfa_authenticate"),
    path("accounts/login/passkey/", sign_in.passkey_alone, name="mfa_login_webauthn"),
    path("accounts/link/<str:secret>/", links.password_link, name="password_link"),
    path("accounts/logout/", sso.sign_out, name="account_logout"),
    path("accounts/signed-out/", sso.signed_out, name="account_signed_out"),
    path(
        "accounts/signed-out/everywhere/",
        sso.signed_out,
        {"everywhere": True},
        name="account_signed_out_everywhere",
    ),
    path("accounts/oidc/<slug:provider_id>/login/", sso.provider_login, name="oidc_login"),
    path(
        "accounts/oidc/<slug:provider_id>/callback/",
        sso.provider_callback,
        name="oidc_callback",
    ),
    path("accounts/inactive/", account_views.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", proof_views.confirm, name="account_reauthenticate"),
    path("accounts/password/change/", password.password_change, name="account_change_password"),
    path("accounts/security/", security.overview, name="mfa_index"),
    path("accounts/security/app/add/", security.app_add, name="mfa_activate_totp"),
    path("accounts/security/app/remove/", security.app_remove, name="mfa_deactivate_totp"),
    path("accounts/security/codes/", security.recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "accounts/security/codes/new/",
        security.recovery_codes_new,
        name="mfa_generate_recovery_codes",
    ),
    path("accounts/security/passkeys/add/", security.passkey_add, name="mfa_add_webauthn"),
    path(
        "accounts/security/passkeys/<int:pk>/remove/",
        security.passkey_remove,
        name="mfa_remove_webauthn",
    ),
    path(
        "accounts/security/passkeys/<int:pk>/rename/",
        security.passkey_rename,
        name="mfa_edit_webauthn",
    ),
    path("account/sessions/<int:pk>/end/", session_views.session_end, name="session_end"),
    path(
        "account/sessions/end-others/",
        session_views.sessions_end_others,
        name="sessions_end_others",
    ),
    path("admin-tools/sso/", sso.sso_doctor, name="sso_doctor"),
    path("admin-tools/sso/identities/", identity_views.identities, name="sso_identities"),
    path(
        "admin-tools/sso/identities/<int:pk>/link/",
        identity_views.identity_link,
        name="sso_identity_link",
    ),
    path(
        "admin-tools/sso/identities/<int:pk>/remove/",
        identity_views.identity_remove,
        name="sso_identity_remove",
    ),
]
