"""The production server; numbers come from the environment (docs/configuration.md)."""

from __future__ import annotations

from estuary_admin import environment as env
from estuary_admin.observability.metrics.multiprocess import child_exit, on_exit, on_starting
from estuary_admin.sso.duplicate_headers import mark_doubles
from estuary_admin.sso.load import load as load_sso
from estuary_admin.web.networks import both_spellings

bind = env.text("BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = env.count("WEB_CONCURRENCY", 2)
threads = env.count("WEB_THREADS", 64)

# A thread waits for Estuary up to ESTUARY_TIMEOUT, or streams an export for as long as it takes;
# the worker itself answers the arbiter in between.
timeout = 60
graceful_timeout = env.count("WEB_GRACEFUL_TIMEOUT", 30)
keepalive = 5

# Everything this app is asked fits into these; more is an attack or a mistake.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# Believe X-Forwarded-Proto from the proxies we name, and from nobody else.
proxies = [str(network) for network in env.networks("TRUSTED_PROXIES")]
forwarded_allow_ips = ",".join(both_spellings(proxies or ["127.0.0.1", "::1"]))

# The app writes one line per request itself, without paths.
accesslog = None
errorlog = "-"
loglevel = env.text("LOG_LEVEL", "INFO").lower()

# gunicorn's own control interface writes into a home directory that a service has not.
control_socket_disable = True

# Each process counts for itself; a monitor is told the sum (see /metrics in docs/operations.md).
__all__ = ["child_exit", "on_exit", "on_starting"]

# Not even a proxy says by a header below which address the app lies: most pass on what clients say.
# It would lead past the proxy's rules for paths, and addresses worked out once would keep it.
forwarder_headers = ""

# The app sees headers only after the server has joined those that stand twice.
pre_request = mark_doubles(
    load_sso(env.url("PUBLIC_URL", "http://localhost:8000")).identity_headers
)
