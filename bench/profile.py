"""Where the CPU time of the list page goes: `python -m bench.profile [keys]`, by py-spy.

py-spy samples the processes of the console 50 times a second under load. A sample counts the
thread that holds the interpreter, for its innermost layer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.load import load
from bench.node import Account
from bench.pages import READ
from bench.plan import Plan, of_keys
from bench.processes import children
from bench.stage import Stage, staged

CONNECTIONS = 32
#: The files of each layer; a sample belongs to the first match, from the innermost frame on.
LAYERS = {
    "templates": (
        "django/template/",
        "/templatetags/",
        "estuary_admin/rendering/",
        "django/shortcuts.py",
    ),
    "database and sessions": (
        "django/db/",
        "django/contrib/sessions/",
        "django/core/signing.py",
        "estuary_admin/storage/prepared_queries.py",
        "estuary_admin/storage/sessions.py",
    ),
    "call to Estuary": ("keys/upstream/", "requests/", "urllib3/", "http/client.py"),
    "list kept for later": (
        "keys/api_keys/key_lists.py",
        "django/core/cache/",
        "estuary_admin/storage/file_cache.py",
        "estuary_admin/storage/redis_cache.py",
    ),
    "rows, filters, sorting": (
        "keys/api_keys/query.py",
        "keys/api_keys/table.py",
        "keys/api_keys/rows.py",
        "keys/api_keys/counts.py",
    ),
    "middleware and routes": (
        "/middleware",
        "django/urls/",
        "whitenoise/",
        "allauth/",
        "estuary_admin/",
    ),
    "Django otherwise": ("django/", "keys/"),
    "gunicorn": ("gunicorn/",),
}
REST = "Python otherwise"
HELPERS = "django/utils/"  # used by all layers: they count for the caller


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with staged([Account(of_keys(keys), keys=keys)]) as stage:
        found = profile(stage, keys=keys, seconds=10)
    print(f"Page of {keys:,} keys, {CONNECTIONS} connections, % of the console's CPU:")
    for layer, share in found.shares.items():
        print(f"{share:6.1f}  {layer}")


@dataclass(frozen=True)
class Profile:
    """Percent of the samples by layer, largest first."""

    keys: int
    shares: dict[str, float]


def measure(stage: Stage, plan: Plan) -> list[Profile]:
    return [profile(stage, keys, plan.seconds * 3) for keys in plan.keys_profiled]


def profile(stage: Stage, keys: int, seconds: int) -> Profile:
    """Profile the list page with `keys` keys; empty when py-spy is not permitted."""
    print(f"  {keys:,} keys", flush=True)
    cookie = f"Cookie: {stage.cookies[of_keys(keys)]}"
    with stage.node() as node, stage.console(node) as console:
        load(console.url + READ, [cookie], CONNECTIONS, 1, console.pid)
        with tempfile.TemporaryDirectory() as folder:
            spies = [_spy(pid, seconds, Path(folder)) for pid in children(console.pid)]
            load(console.url + READ, [cookie], CONNECTIONS, seconds, console.pid)
            for spy in spies:
                spy.wait()
            stacks = [path.read_text() for path in Path(folder).iterdir()]
    counted = Counter[str]()
    for line in "".join(stacks).splitlines():
        stack, _, looks = line.rpartition(" ")
        counted[layer_of(reversed(stack.split(";")))] += int(looks)
    total = counted.total()
    return Profile(keys, {name: 100 * looks / total for name, looks in counted.most_common()})


def layer_of(frames: Iterable[str]) -> str:
    """The layer of the innermost frame that belongs to one; the rest is Python's own."""
    for frame in frames:
        if HELPERS in frame:
            continue
        for layer, places in LAYERS.items():
            if any(place in frame for place in places):
                return layer
    return REST


def _spy(pid: int, seconds: int, folder: Path) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name("py-spy")  # installed in the same environment
    command = [str(program), "record", "--full-filenames", "--format", "raw", "--rate", "50"]
    command += [
        "--gil",
        "--pid",
        str(pid),
        "--duration",
        str(seconds),
        "--output",
        str(folder / str(pid)),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
