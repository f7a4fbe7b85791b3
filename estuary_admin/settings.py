"""Settings, all from environment variables; docs/configuration.md describes each."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.observability.logging import logging_config
from estuary_admin.secrets import shared_secrets
from estuary_admin.sso.environment import read_config as read_sso_config
from estuary_admin.storage import databases
from estuary_admin.storage.export_storage import read_export_storage

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / "var")

# Addresses and access
PUBLIC_URL = env.public_url("PUBLIC_URL", "http://localhost:8000")
PUBLIC_ORIGIN = f"{PUBLIC_URL.scheme}://{PUBLIC_URL.netloc}"
BASE_PATH = PUBLIC_URL.path  # "" or such as "/estuary"
FORCE_SCRIPT_NAME = BASE_PATH or None
IS_HTTPS = PUBLIC_URL.scheme == "https"
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", f"{PUBLIC_URL.hostname},localhost,127.0.0.1,::1")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
CSRF_TRUSTED_ORIGINS = [PUBLIC_ORIGIN]
AUDIT_DAYS = env.count("AUDIT_DAYS", 0, least=0)
AUDIT_STREAM = env.one_of("AUDIT_STREAM", ["", "stdout", "syslog"], "")
MEMBER_CHANGES_PER_MINUTE = env.count("MEMBER_CHANGES_PER_MINUTE", 30)
METRICS_ALLOWED = env.networks("METRICS_ALLOWED")
METRICS_TOKENS = shared_secrets.checked("METRICS_TOKEN", env.words("METRICS_TOKEN"))
IS_SANDBOX = env.flag("SANDBOX", default=False)

# Estuary
ESTUARY_API_URL = env.url(
    "ESTUARY_API_URL",
    "https://api.estuary.tech",
    http_anywhere=env.flag("ESTUARY_ALLOW_HTTP", default=False),
)
ESTUARY_HTTP_PROXY = env.http_proxy("ESTUARY_HTTP_PROXY", node=ESTUARY_API_URL)
ESTUARY_TIMEOUT = env.seconds("ESTUARY_TIMEOUT", 15)
ESTUARY_EXPORT_TIMEOUT = env.seconds("ESTUARY_EXPORT_TIMEOUT", 900)
EXPORT_IDLE = env.seconds("EXPORT_IDLE", 60)
EXPORT_STORAGE = read_export_storage(DATA_DIR / "exports")
#: Of each part of a file in S3, which takes 10,000 parts: a file may have 78 GiB.
AWS_S3_FILE_BUFFER_SIZE = 8 * 2**20
EXPORT_DAYS = env.count("EXPORT_DAYS", 7, most=365)
EXPORT_QUOTA_GIB = env.count("EXPORT_QUOTA_GIB", 20)
EXPORT_SEALED = env.flag("EXPORT_SEALED", default=True)
ESTUARY_FORWARD_CLIENT_IP = env.flag("ESTUARY_FORWARD_CLIENT_IP", default=False)
TOKEN_SEALING_KEYS = env.words("TOKEN_SEALING_KEYS")

# Single sign-on and proofs of identity
SSO = read_sso_config(PUBLIC_URL)
AUTHENTICATION_BACKENDS = SSO.backends
SUDO_MINUTES = env.count("SUDO_MINUTES", 15, least=0)
REQUIRE_MFA = env.flag("REQUIRE_MFA", default=False)
if REQUIRE_MFA and not (SSO.is_local or SSO.local_fallback):
    raise ImproperlyConfigured(
        f"REQUIRE_MFA is true, but SSO_MODE is {SSO.mode!r}: there the identity provider asks for "
        "second factors. Remove REQUIRE_MFA, or set SSO_LOCAL_FALLBACK=true."
    )

# Django
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
# From the outermost to the innermost: each sees the responses of all that follow it.
MIDDLEWARE = [
    "estuary_admin.observability.request_log.RequestLogMiddleware",
    "estuary_admin.web.middleware.ResponseHeadersMiddleware",
    "estuary_admin.web.middleware.ErrorPagesMiddleware",
    "estuary_admin.web.middleware.ProbeMiddleware",
    "estuary_admin.web.middleware.ForwardedSchemeMiddleware",
    "estuary_admin.web.middleware.RequestCheckMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "estuary_admin.web.middleware.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
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
ROOT_URLCONF = "estuary_admin.urls"
WSGI_APPLICATION = "estuary_admin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "estuary_admin.rendering.template_loader.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "keys.context.console",
            ],
            "builtins": ["estuary_admin.rendering.fragments"],
        },
    }
]

# Storage
DATABASES = databases.databases(DATA_DIR)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SERIALIZATION_MODULES = {"json": "estuary_admin.storage.exact_json"}
CACHES = databases.caches(DATA_DIR)
QUEUE = databases.queue(DATA_DIR, DATABASES["default"])
SESSION_ENGINE = "estuary_admin.storage.sessions"
SESSION_COOKIE_AGE = 12 * 3600
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# The rules for keys; `keys/policy/load.py` reads these values
POLICY = {
    "POLICY_LONGEST_LIFETIME": env.text("POLICY_LONGEST_LIFETIME", ""),
    "POLICY_NO_END": env.text("POLICY_NO_END", "").lower(),
    "POLICY_PERMISSIONS": env.text("POLICY_PERMISSIONS", "upload,all"),
    "POLICY_DEFAULT_PERMISSION": env.text("POLICY_DEFAULT_PERMISSION", "").lower(),
    "POLICY_LABEL_PATTERN": env.text("POLICY_LABEL_PATTERN", ""),
    "POLICY_LABEL_EXAMPLE": env.text("POLICY_LABEL_EXAMPLE", ""),
    "POLICY_PURPOSE_REQUIRED": str(env.flag("POLICY_PURPOSE_REQUIRED", default=False)).lower(),
    "POLICY_MAX_KEYS": str(env.count("POLICY_MAX_KEYS", 0, least=0)),
}

# Messages
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
globals().update(env.mail_server("EMAIL_URL"))
EMAIL_TIMEOUT = 20
HAS_MAIL_SERVER = EMAIL_BACKEND.endswith("smtp.EmailBackend")
EMAIL_FROM = env.mail_address(
    "EMAIL_FROM", f"estuary-admin@{env.mail_domain(str(PUBLIC_URL.hostname))}"
)
EXPIRY_FALLBACK_EMAILS = env.mail_addresses("EXPIRY_FALLBACK_EMAILS")
WEBHOOK_NETWORKS = env.networks("WEBHOOK_NETWORKS")

# Background work
SYNC_MINUTES = env.count("SYNC_MINUTES", 60)
WORKER_THREADS = env.count("WORKER_THREADS", 4)
WORKER_LONG_THREADS = env.count("WORKER_LONG_THREADS", 2)
WORKER_GRACEFUL_TIMEOUT = env.count("WORKER_GRACEFUL_TIMEOUT", 30)
WORKER_BEAT_SECONDS = 5.0
WORKER_PERIOD_SECONDS = 10  # between two wake-ups of every periodic task

# Sign-in
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_PAGE = "keys:account"
ACCOUNT_ADAPTER = "estuary_admin.security.account_adapter.LocalAccountAdapter"
SOCIALACCOUNT_ADAPTER = "estuary_admin.sso.provider_sign_in.ProviderAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # safe: our view accepts only POST
ACCOUNT_FORMS = {
    "login": "estuary_admin.security.password_forms.SignInForm",
    "change_password": "estuary_admin.security.password_forms.PasswordChangeForm",
}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
MFA_ADAPTER = "estuary_admin.security.mfa_adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "estuary_admin.security.factor_forms.CodeForm",
    "authenticate_webauthn": "estuary_admin.security.factor_forms.PasskeyForm",
    "login_webauthn": "estuary_admin.security.factor_forms.PasskeySignInForm",
    "activate_totp": "estuary_admin.security.factor_forms.AppAddForm",
    "add_webauthn": "estuary_admin.security.factor_forms.PasskeyAddForm",
    "edit_webauthn": "estuary_admin.security.factor_forms.PasskeyRenameForm",
}
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}  # two requests per sign-in
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a fingerprint or PIN, not just the key
MFA_TOTP_TOLERANCE = 1  # clocks differ; security/factor_forms.py accepts each code once
MFA_ALLOW_UNVERIFIED_EMAIL = True  # e-mail addresses grant nothing here
MIN_PASSWORD_LENGTH = 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": MIN_PASSWORD_LENGTH},
    },
]

# Cookies and headers
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = BASE_PATH or "/"
# Browsers accept `__Host-` for the path / alone.
COOKIE_PREFIX = ("__Secure-" if BASE_PATH else "__Host-") if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "estuary_admin.web.errors.csrf_failure"
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
# Off by default: subdomains may serve other software, over plain http.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
if SECURE_HSTS_PRELOAD and not SECURE_HSTS_INCLUDE_SUBDOMAINS:
    raise ImproperlyConfigured(
        "HSTS_PRELOAD needs HSTS_SUBDOMAINS=true: the browsers' preload lists demand it."
    )
# W005 and W021 are HSTS choices of the operator; `checks` replaces W009 and W018; `web` sets
# X-Frame-Options, which W002 looks for in Django's middleware.
SILENCED_SYSTEM_CHECKS = [
    f"security.{number}" for number in ("W002", "W005", "W009", "W018", "W021")
]
SECURE_REFERRER_POLICY = "same-origin"
DEFAULT_EXCEPTION_REPORTER = "estuary_admin.observability.error_reports.TokenFreeReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "estuary_admin.observability.error_reports.TokenFreeFilter"
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # every form here is small
FILE_UPLOAD_HANDLERS = ["estuary_admin.web.middleware.RefuseUploads"]

# Static files
STATIC_URL = f"{BASE_PATH}/static/"
STATIC_ROOT = env.public_folder(
    "STATIC_ROOT",
    DATA_DIR / "static",
    private=[
        BASE_DIR,
        DATA_DIR,
        *([EXPORT_STORAGE] if isinstance(EXPORT_STORAGE, Path) else []),
        *databases.files(DATABASES),
    ],
)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "estuary_admin.storage.static_files.MinifiedStaticFilesStorage"},
}

# Time and logging
USE_I18N = False
TIME_ZONE = env.text("TIME_ZONE", "UTC")
if TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured(f"TIME_ZONE is {TIME_ZONE!r}; give a name such as Europe/Berlin.")
LOG_LEVEL = env.one_of("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO")
LOG_FORMAT = env.one_of("LOG_FORMAT", ["text", "json"], "text")
LOGGING = logging_config(LOG_LEVEL, LOG_FORMAT, AUDIT_STREAM)

# Crash reports
SENTRY_DSN = env.text("SENTRY_DSN", "")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "production")
if SENTRY_DSN:
    MIDDLEWARE = [
        "estuary_admin.observability.crash_reports.RequestBreadcrumbsMiddleware",
        *MIDDLEWARE,
    ]
