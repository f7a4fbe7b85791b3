"""A machine for the commands of a page: its paths, names and system programs are replaced.

Paths of the system become folders of the test. Programs that would change the machine (`apt`,
`adduser`, `systemctl`) are replaced by the scripts in `shims/`; all others run as they are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from tests.docs.pages import ROOT
from tests.support.processes import clock_environment, free_port

SYSTEM_FOLDERS = ("/etc/", "/opt/", "/usr/local/sbin/", "/var/lib/")
#: Programs that would change the machine: each checks its arguments as far as it can.
SHIMS = Path(__file__).with_name("shims")


class Host:
    """A folder as the root of a machine, on which the console gets a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.names: dict[str, str] = {}
        for name in SYSTEM_FOLDERS:
            (folder / name.strip("/")).mkdir(parents=True, exist_ok=True)
        (folder / "etc/systemd/system").mkdir(parents=True)
        self.environment = {
            "PATH": f"{SHIMS}:{folder}/usr/local/sbin:{Path(sys.executable).parent}:"
            "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "HOST": str(folder),
            "TREE": str(ROOT),
            "VENV": str(Path(sys.prefix)),
            "PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",  # all is installed: pip only looks
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "LANG": "C.UTF-8",
            **clock_environment(),
        }

    def run(self, text: str, *, folder: Path | None = None, given: str = "") -> str:
        """Run the lines of a block as a shell does, and return what they print."""
        done = self._ended(text, folder, given)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def succeeds(self, text: str) -> bool:
        return self._ended(text).returncode == 0

    def _ended(
        self, text: str, folder: Path | None = None, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.replaced(text)],
            cwd=folder or self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # without a terminal, so that passwords come from `given`
        )

    def replaced(self, text: str) -> str:
        """The text with this machine's paths and names."""
        for name, value in self.names.items():
            text = text.replace(name, value)
        for name in SYSTEM_FOLDERS:
            text = re.sub(rf"(?<![\w.]){name}", f"{self.folder}{name}", text)
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def path(self, name: str) -> Path:
        """Where a path of the page is here."""
        return self.folder / name.lstrip("/")

    def write(self, name: str, text: str) -> None:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(self.replaced(text))

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


def variables(path: Path) -> dict[str, str]:
    """A file of variables as systemd's EnvironmentFile reads it: no shell, no quotes, no `$`."""
    pairs = (
        line.partition("=")[::2]
        for line in path.read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    given = {name: value for name, value in pairs if value}
    return given | {"PATH": os.environ["PATH"]} | clock_environment()


def https_sign_in(port: int, name: str, member: str, password: str) -> str:
    """Sign in as a browser does through a proxy that ends TLS; returns the account page."""
    cookies: dict[str, str] = {}

    def ask(method: str, path: str, body: str = "") -> tuple[int, str, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {
            "Host": name,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.9",
            "Referer": f"https://{name}{path}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()),
        }
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or []:
            key, _, value = line.partition(";")[0].partition("=")
            cookies[key] = value
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("Location", ""), text

    status, _, form = ask("GET", "/accounts/login/")
    assert status == 200, form
    [secret] = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form))
    typed = {"csrfmiddlewaretoken": secret, "login": member, "password": password}
    status, location, text = ask("POST", "/accounts/login/", urlencode(typed))
    assert (status, location) == (302, "/"), text
    status, _, text = ask("GET", "/account/")
    assert status == 200
    return text
