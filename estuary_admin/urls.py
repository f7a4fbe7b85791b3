"""All routes: signing in, health, and the console itself."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path
from django.views.generic import RedirectView

from estuary_admin import health
from estuary_admin.sso import views as sso_views

home = RedirectView.as_view(pattern_name="keys:key_list", http_method_names=["get", "head"])

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    # Only what local accounts need: members are made by `manage.py createmember`.
    path("accounts/login/", account_views.login, name="account_login"),
    path("accounts/logout/", sso_views.sign_out, name="account_logout"),
    path("accounts/inactive/", account_views.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", account_views.reauthenticate, name="account_reauthenticate"),
    path(
        "accounts/password/change/", account_views.password_change, name="account_change_password"
    ),
    path("", home, name="home"),
    path("", include("keys.urls")),
]
