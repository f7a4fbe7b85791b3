"""Gunicorn's threaded worker, with our pages for what it refuses and a 503 without threads."""

from __future__ import annotations

import contextlib
import gc
import logging
import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from estuary_admin.web import shutdown

logger = logging.getLogger("estuary_admin.request")

STATUS_BY_ERROR = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
    errors.ExpectationFailed: 417,
    errors.ForbiddenProxyRequest: 403,
    errors.ConfigurationProblem: 500,
    errors.InvalidResponseHeader: 500,
    errors.InvalidResponseHeaderName: 500,
}
SEND_SECONDS = 5
LINGER_SECONDS = 2


class ThreadPool(ThreadPoolExecutor):
    """Works with fewer threads when the system refuses another one."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                # Nothing will ever take the request out of the queue.
                self._work_queue.get_nowait()
                raise


class ConsoleWorker(ThreadWorker):  # type: ignore[misc] # gunicorn is untyped
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lingering: deque[TConn] = deque()
        super().__init__(*args, **kwargs)

    def load_wsgi(self) -> None:
        """Load the app, and take what it loaded from the garbage collector's full passes.

        Of these, some stopped all threads for 60 to 110 ms each; now it is 5 to 35.
        """
        super().load_wsgi()
        gc.collect()
        gc.freeze()

    @property
    def worker_connections(self) -> int:
        """New connections are accepted below this; silent ones need no thread.

        Without a free thread they are left to the other processes, which may have one.
        """
        silent = sum(map(len, (self.keepalived_conns, self.pending_conns, self._lingering)))
        most: int = min(self.cfg.threads + silent, self.cfg.worker_connections)
        return most

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        """For gunicorn's constructor."""

    def get_thread_pool(self) -> ThreadPool:
        return ThreadPool(max_workers=self.cfg.threads)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Tell long requests that the server waits for them no longer than this."""
        shutdown.announce(self.cfg.graceful_timeout)
        super().handle_exit(sig, frame)

    def enqueue_req(self, conn: TConn) -> None:
        try:
            super().enqueue_req(conn)
        except RuntimeError as error:  # "can't start new thread"
            conn.sock.setblocking(False)  # this is the main loop: it must not wait
            self._send_error(conn.sock, 503, str(error))
            self._linger(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Close a connection without waiting: gunicorn's own way would stop all others meanwhile.

        It waits in the main loop, for two seconds, until the client has closed its side.
        """
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: TConn) -> None:
        """Close a connection when its client has, or soon: closing before could drop the response.

        A client may send its request, or more of it, only now; the kernel answers data to a
        closed connection with a reset.
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))
        except (OSError, ValueError):  # the client has gone
            self._close(conn)
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self._lingering.append(conn)

    def murder_pending(self) -> None:
        """Close what has lingered for too long, as well."""
        super().murder_pending()
        while self._lingering and self._lingering[0].timeout <= time.monotonic():
            self._end_lingering(self._lingering[0])

    def _discard(self, conn: TConn, sock: socket.socket) -> None:
        """Read what a client sends after its response; close the connection at its end."""
        try:
            is_open = bool(sock.recv(65_536))
        except BlockingIOError:
            return
        except OSError:
            is_open = False
        if not is_open:
            self._end_lingering(conn)

    def _end_lingering(self, conn: TConn) -> None:
        self._lingering.remove(conn)
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer what gunicorn cannot read, without its own page and without logging the text."""
        is_unreadable = isinstance(exc, errors.ParseException)
        status = STATUS_BY_ERROR.get(type(exc), 400 if is_unreadable else 500)
        client.settimeout(SEND_SECONDS)
        self._send_error(client, status, type(exc).__name__, None if is_unreadable else exc)

    @staticmethod
    def _send_error(client: Any, status: int, reason: str, error: Exception | None = None) -> None:
        from estuary_admin.web.static_pages import static_response  # needs Django's settings

        line, headers, body = static_response(status)
        extra = {"request_id": dict(headers)["X-Request-Id"], "status": status, "reason": reason}
        logger.warning("request_not_served", extra=extra, exc_info=error)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        with contextlib.suppress(OSError):
            client.sendall(f"HTTP/1.1 {line}\r\nConnection: close\r\n{head}\r\n".encode() + body)
