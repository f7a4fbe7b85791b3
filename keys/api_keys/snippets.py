"""Commands to paste into a shell, with a placeholder that the page replaces by the token on copy.

No command has the token among its arguments, which other users of a machine can list: it is piped
in, or in the environment.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote

from estuary_admin.unicode_text import shows_something, without_invisible

PLACEHOLDER = "EST…ARY"
VARIABLE = "ESTUARY_TOKEN"
#: What may stay as it is in a path: RFC 3986, and percent signs of what is encoded already.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to paste: the token belongs between `before` and `after`."""

    code: str  # unique on the page
    name: str
    before: str
    after: str = ""

    @property
    def text(self) -> str:
        return f"{self.before}{PLACEHOLDER}{self.after}"


def snippets_of(api_url: SplitResult, label: str) -> list[Snippet]:
    """The ways to hand a key over, in the order of the page."""
    upload = f"-F data=@./FILE {_address(api_url, '/content/add')}"
    secret = f"kubectl create secret generic estuary-token --from-file={VARIABLE}=/dev/stdin"
    return [
        Snippet("env", ".env", f"{VARIABLE}="),
        _authorized("try", "Try it", _address(api_url, "/viewer")),
        _authorized("upload", "Upload", upload),
        _piped("github", "GitHub", f"gh secret set {VARIABLE}"),
        _piped("kubernetes", "Kubernetes", secret),
        _one_password(label),
        Snippet("docker", "Docker", f"{VARIABLE}='", f"' docker run --rm --env {VARIABLE} IMAGE"),
    ]


def _piped(code: str, name: str, command: str) -> Snippet:
    return Snippet(code, name, "printf %s '", f"' | {command}")


def _authorized(code: str, name: str, arguments: str) -> Snippet:
    return Snippet(code, name, "printf 'Authorization: Bearer %s' '", f"' | curl -H @- {arguments}")


def _one_password(label: str) -> Snippet:
    """The item as JSON on standard input, as 1Password advises for sensitive values."""
    title = without_invisible(label)
    item = {
        "title": title if shows_something(title) else "Estuary key",
        "category": "API_CREDENTIAL",
        "fields": [{"id": "credential", "type": "CONCEALED", "value": PLACEHOLDER}],
    }
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    # From the right: the label may hold the placeholder too.
    before, _, after = shell_quoted(text).rpartition(PLACEHOLDER)
    return Snippet("1password", "1Password", f"printf %s {before}", f"{after} | op item create -")


def _address(api_url: SplitResult, path: str) -> str:
    base = quote(api_url.path.rstrip("/"), safe=_PATH_CHARACTERS)
    return shell_quoted(api_url._replace(path=f"{base}{path}").geturl())


def shell_quoted(text: str) -> str:
    """The text as one word for sh, bash, zsh and fish.

    Not shlex.quote: fish reads backslashes in single quotes as escapes.
    """
    parts = re.split(r"(['\\]+)", text)
    quoted = [_double_quoted(part) if part[0] in "'\\" else f"'{part}'" for part in parts if part]
    return "".join(quoted) or "''"


def _double_quoted(part: str) -> str:
    escaped = part.replace("\\", "\\\\")
    return f'"{escaped}"'
