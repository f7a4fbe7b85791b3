"""Gunicorn's settings; docs/configuration.md describes the variables."""

from __future__ import annotations

from estuary_admin import environment as env
from estuary_admin.observability.metrics_multiprocess import child_exit, on_exit, on_starting
from estuary_admin.sso.duplicate_headers import mark_duplicates
from estuary_admin.sso.environment import read_config as read_sso_config
from estuary_admin.web.networks import with_ipv6_forms

bind = env.text("BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = env.count("WEB_CONCURRENCY", 2)
threads = env.count("WEB_THREADS", 64)

# This bounds the worker's main loop, not a request: threads may wait for Estuary or stream an
# export for longer.
timeout = 60
graceful_timeout = env.count("WEB_GRACEFUL_TIMEOUT", 30)
keepalive = 5

# No request of this app is larger.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# X-Forwarded-Proto counts only from the proxies named here.
proxies = [str(network) for network in env.networks("TRUSTED_PROXIES")]
forwarded_allow_ips = ",".join(with_ipv6_forms(proxies or ["127.0.0.1", "::1"]))

# The app logs one line per request itself, without the path.
accesslog = None
errorlog = "-"
loglevel = env.text("LOG_LEVEL", "INFO").lower()

# Gunicorn's control interface writes into a home directory, which a service does not have.
control_socket_disable = True

# Hooks that add up the metrics of all processes (see /metrics in docs/operations.md).
__all__ = ["child_exit", "on_exit", "on_starting"]

# SCRIPT_NAME is never taken from a header: most proxies pass on a client's own, which would lead
# past the proxy's rules for paths.
forwarder_headers = ""

# Runs before gunicorn joins repeated headers; the app sees only the joined value.
pre_request = mark_duplicates(
    read_sso_config(env.url("PUBLIC_URL", "http://localhost:8000")).identity_headers
)
