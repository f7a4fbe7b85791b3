"""The sign-in program that nginx asks about each request; it knows people by a cookie."""

from __future__ import annotations

from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import Quiet, Serving

FORM = """<!doctype html><title>Company sign-in</title>
<form action="/sso/enter"><label>Name <input name="user"></label><button>Enter</button></form>"""


class Verifier(Serving):
    """Answers with the name in the cookie and the groups in `groups`."""

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        verifier = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path == "/verify":
                    self.verify()
                elif url.path == "/sso/enter":
                    name = parse_qs(url.query)["user"][0]
                    self.answer(302, {"Set-Cookie": f"who={name}; Path=/", "Location": "/"})
                elif url.path == "/sso/leave":
                    gone = "who=; Path=/; Max-Age=0"
                    self.answer(302, {"Set-Cookie": gone, "Location": "/sso/"})
                else:
                    self.answer(200, {"Content-Type": "text/html"}, FORM)

            def verify(self) -> None:
                cookie = SimpleCookie(self.headers.get("Cookie", ""))
                who = cookie["who"].value if "who" in cookie else ""
                if not who:
                    self.answer(401, {})
                else:
                    groups = verifier.groups.get(who, "")
                    self.answer(200, {"Remote-User": who, "Remote-Groups": groups})

            def answer(self, status: int, headers: dict[str, str], text: str = "") -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        super().__init__(Handler)
