"""No cache unpickles what it reads, so that tampered values run no code."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.sessions.serializers import JSONSerializer
from django.core.cache import caches
from django.db import connection
from django.utils.module_loading import import_string

from estuary_admin.storage.cache_values import pack, unpack
from estuary_admin.storage.file_cache import FileCache
from tests.backing import Backing

pytestmark = pytest.mark.django_db


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (exec, ("raise SystemExit('the value ran code')",))


BOMB = pickle.dumps(Bomb())


def test_the_bomb_works() -> None:
    with pytest.raises(SystemExit, match="ran code"):
        pickle.loads(BOMB)  # noqa: S301 - our own


@pytest.mark.parametrize("value", [BOMB, BOMB[:20], b"\x80\x05K\x01.", b"", b"\x93\x01"])
def test_a_tampered_row_is_a_cache_miss(value: bytes) -> None:
    cache = caches["database" if "database" in configured.CACHES else "default"]
    cache.set("attempts", [1])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cache SET value = %s", [base64.b64encode(value).decode()])

    assert cache.get("attempts", "nothing") == "nothing"
    assert cache.get_many(["attempts"]) == {}
    assert not cache.has_key("attempts")
    assert not cache.touch("attempts")
    assert cache.add("attempts", [2])
    assert cache.get("attempts") == [2]


def test_a_row_that_is_not_base64_is_a_cache_miss() -> None:
    cache = caches["database" if "database" in configured.CACHES else "default"]
    cache.set("attempts", [1])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cache SET value = 'ä'")

    assert cache.get("attempts") is None


def test_a_tampered_file_is_a_cache_miss(tmp_path: Path) -> None:
    cache = FileCache(str(tmp_path), {})
    cache.set("list", b"packed", 60)
    [file] = tmp_path.iterdir()

    for value in (BOMB, file.read_bytes()[:20] + BOMB, b""):
        file.write_bytes(value)
        assert cache.get("list") is None
        assert not cache.touch("list")
        cache.has_key("list")
        cache.prune()
        file.touch()


def test_a_tampered_value_in_redis_is_a_cache_miss(redis: Backing) -> None:
    client = caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined]

    for name in ("default", "key_lists"):
        client.set(caches[name].make_key("attempts"), BOMB)
        assert caches[name].get("attempts") is None


def test_sessions_are_json() -> None:
    assert import_string(configured.SESSION_SERIALIZER) is JSONSerializer
    assert "session.SessionStorage" in configured.MESSAGE_STORAGE


@pytest.mark.parametrize(
    "value", [7, -7, True, None, 1.5, "text", b"bytes", [1.5, 2.5], {"a": [1]}, {"b": b"\x00"}]
)
def test_what_was_packed_comes_back(value: object) -> None:
    assert unpack(pack(value)) == value
    assert type(unpack(pack(value))) is type(value)


def test_an_object_of_ours_cannot_be_cached() -> None:
    with pytest.raises(TypeError):
        pack(Bomb())


def test_nothing_of_ours_imports_pickle() -> None:
    root = Path(__file__).resolve().parents[3]
    modules = [*(root / "keys").rglob("*.py"), *(root / "estuary_admin").rglob("*.py")]

    assert [path for path in modules if "import pickle" in path.read_text("utf-8")] == []
