"""What the console is put together from: apps, what each request passes through, templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "django_htmx",
    "estuary_admin",
    "estuary_admin.security",
    "estuary_admin.sso",
    "keys",
]
#: From the outside in: each sees the answers of all below it.
MIDDLEWARE = [
    "estuary_admin.middleware.RequestLogMiddleware",
    "estuary_admin.middleware.ResponseHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "estuary_admin.health.ProbeMiddleware",
    "estuary_admin.compression.OwnPagesCompressedMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "estuary_admin.slashes.TokenFreeCommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "estuary_admin.sso.middleware.ProxyIdentityMiddleware",
    "estuary_admin.security.middleware.MemberSessionMiddleware",
    "estuary_admin.middleware.MemberRequiredMiddleware",
    "estuary_admin.security.middleware.SecondFactorMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "keys.preferences.PreferencesMiddleware",
]


def templates(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [folder],
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "keys.context.console",
                ],
                "builtins": [
                    "estuary_admin.templatetags.fixed_urls",
                    "estuary_admin.templatetags.frame",
                ],
            },
        }
    ]
