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
    "estuary_admin.web.middleware.RequestLogMiddleware",
    "estuary_admin.web.middleware.ResponseHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "estuary_admin.web.health.ProbeMiddleware",
    "estuary_admin.web.compression.OwnPagesCompressedMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "estuary_admin.web.redirects.TokenFreeCommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "estuary_admin.sso.middleware.ProxyIdentityMiddleware",
    "estuary_admin.security.middleware.MemberSessionMiddleware",
    "estuary_admin.web.middleware.MemberRequiredMiddleware",
    "estuary_admin.security.middleware.SecondFactorMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "keys.account.preferences.PreferencesMiddleware",
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
                "libraries": {"scripts": "estuary_admin.rendering.scripts"},
                "builtins": [
                    "estuary_admin.rendering.fixed_urls",
                    "estuary_admin.rendering.frame",
                ],
            },
        }
    ]
