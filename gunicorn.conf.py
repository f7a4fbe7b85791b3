"""Gunicorn's settings; docs/configuration.md describes the variables."""

from __future__ import annotations

from estuary_admin import environment as env
from estuary_admin.observability.metrics_multiprocess import child_exit, on_exit, on_starting
from estuary_admin.sso.duplicate_headers import mark_duplicates
from estuary_admin.sso.environment import read_config as read_sso_config

with env.exit_on_wrong_value():
    bind = env.bind_addresses("BIND", "127.0.0.1:8000")
    workers = env.count("WEB_CONCURRENCY", 2)
    threads = env.count("WEB_THREADS", 64)
    graceful_timeout = env.count("WEB_GRACEFUL_TIMEOUT", 30)
    # Longer than the proxy keeps an idle connection: else it sends a request into a closed one.
    keepalive = env.count("WEB_KEEPALIVE", 75)
    # Single sign-on needs long ones: codes in the address, and cookies and assertions in headers.
    limit_request_line = env.count("WEB_LIMIT_REQUEST_LINE", 8190, most=8190)
    limit_request_field_size = env.count("WEB_LIMIT_REQUEST_FIELD", 32_768, most=1_048_576)
    loglevel = env.one_of("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO").lower()
    sso = read_sso_config(env.public_url("PUBLIC_URL", "http://localhost:8000"))

worker_class = "estuary_admin.web.gunicorn_worker.ConsoleWorker"
# This bounds the worker's main loop, not a request: threads may wait for Estuary or stream an
# export for longer.
timeout = 60
limit_request_fields = 100

# The app reads X-Forwarded-Proto itself (estuary_admin/web/middleware.py): gunicorn knows no
# chains of proxies, and refuses requests whose headers disagree.
secure_scheme_headers: dict[str, str] = {}
forwarded_allow_ips = ""

# The app logs one line per request itself, without the path.
accesslog = None
errorlog = "-"

# Gunicorn's control interface writes into a home directory, which a service does not have.
control_socket_disable = True

# Hooks that add up the metrics of all processes (see /metrics in docs/operations.md).
__all__ = ["child_exit", "on_exit", "on_starting"]

# SCRIPT_NAME is never taken from a header: most proxies pass on a client's own, which would lead
# past the proxy's rules for paths.
forwarder_headers = ""

# Runs before gunicorn joins repeated headers; the app sees only the joined value.
pre_request = mark_duplicates(sso.identity_headers)
