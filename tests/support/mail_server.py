"""A mail server inside the test process, which keeps what it gets."""

from __future__ import annotations

import email
import socketserver
import threading
from email.message import EmailMessage
from email.policy import default
from typing import Self


class MailServer:
    """Speaks as much SMTP as a mail needs.

    `refusal` is its answer to every recipient, `refusal_of_content` that to every mail.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refusal = self.refusal_of_content = ""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def _talk(self, handler: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            handler.wfile.write(f"{line}\r\n".encode())

        say("220 here")
        while line := handler.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT" and self.refusal:
                say(self.refusal)
            elif verb == "RCPT":
                self.recipients.append(line.partition("<")[2].partition(">")[0])
                say("250 ok")
            elif verb == "DATA":
                say("354 go on")
                lines = self._lines_of(handler)
                if self.refusal_of_content:
                    say(self.refusal_of_content)
                    continue
                self._keep(lines)
                say("250 ok")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def _lines_of(self, handler: socketserver.StreamRequestHandler) -> list[bytes]:
        lines = []
        while (line := handler.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        return lines

    def _keep(self, lines: list[bytes]) -> None:
        mail = email.message_from_bytes(b"".join(lines), policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
