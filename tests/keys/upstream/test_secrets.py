"""No error, repr, log line or traceback holds a token, or a path with one."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import traceback
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest
import urllib3
from requests import PreparedRequest, RequestException, Response

from keys.upstream import EstuaryClient, UpstreamError, adapter, hash_of, redact
from keys.upstream.redaction import Secret
from tests.keys.upstream.conftest import (
    CREATED,
    DONE,
    OLD_ROW,
    OLD_TOKEN,
    SPEC,
    TOKEN,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import Action, ScriptedNode, json_reply, reply, reset, then

PARTS = ("11111111-1111", "a8adb52c-441d", TOKEN, OLD_TOKEN)
#: Objects of libraries that hold a token or the path with one.
CARRIERS = (
    Response,
    PreparedRequest,
    RequestException,
    urllib3.BaseHTTPResponse,
    urllib3.exceptions.HTTPError,
)
LIST = json_reply([OLD_ROW])
LEAK = json_reply(
    {"error": {"code": 500, "reason": "x", "details": f"no row for {OLD_TOKEN}"}}, 500
)
BROKEN: dict[str, list[Action]] = {
    "reset": [reset, reset, reset],
    "cut": [then(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + TOKEN.encode(), reset)] * 3,
    "not http": [then(f"{TOKEN}\r\n\r\n".encode(), reset)],
    "bad header": [then(f"HTTP/1.1 200 OK\r\n{TOKEN}\r\nContent-Type: x\r\n\r\n".encode(), reset)],
    "not json": [reply(200, f'[{{"token":"{OLD_TOKEN}"'.encode())],
    "wrong shape": [json_reply({"token": OLD_TOKEN})],
    "no row good": [json_reply([{"token": OLD_TOKEN}])],
    "too large": [reply(200, TOKEN.encode() * 2_000_000)],
    "redirect": [reply(302, b"", {"Location": f"http://127.0.0.1:1/{OLD_TOKEN}"})],
    "failed": [LEAK],
    "unknown token": [
        json_reply({"error": {"reason": "ERR_INVALID_TOKEN", "details": TOKEN}}, 401)
    ],
    "busy": [reply(429, TOKEN.encode())],
}


def everything(error: BaseException) -> str:
    """All that a log, an error page or an error tracker could print of it."""
    texts = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    seen: list[BaseException] = [error]
    for known in seen:
        seen += [other for other in (known.__cause__, known.__context__) if other]
    assert seen == [error]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if f"{os.sep}tests{os.sep}" not in frame.f_code.co_filename:
            assert not [value for value in frame.f_locals.values() if isinstance(value, CARRIERS)]
            texts += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
            texts += [repr(getattr(value, "__dict__", "")) for value in frame.f_locals.values()]
    return "\n".join(texts)


def reachable(roots: list[object]) -> Iterator[str]:
    """Every text that can be reached from these objects but by way of a `Secret` or a class."""
    seen, left = {id(root) for root in roots}, list(roots)
    while left:
        found = left.pop()
        if isinstance(found, bytes | bytearray):
            yield found.decode("latin-1")
        elif isinstance(found, str):
            yield found
        elif not isinstance(found, Secret | type | ModuleType | FunctionType | BuiltinFunctionType):
            fresh = [other for other in gc.get_referents(found) if id(other) not in seen]
            seen |= {id(other) for other in fresh}
            left += fresh


def assert_bare(text: str) -> None:
    assert not [part for part in PARTS if part in text]


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("call", ["list_keys", "stats", "create", "revoke", "export"])
def test_nothing_holds_a_token_however_a_call_fails(
    node: NodeFactory, caplog: pytest.LogCaptureFixture, how: str, call: str
) -> None:
    caplog.set_level(logging.DEBUG)
    # A revocation first lists; the clear token is then in the path of its DELETE.
    estuary = node(*([LIST] if call == "revoke" else []), *BROKEN[how])
    client = client_of(estuary)
    calls: dict[str, Callable[[], object]] = {
        "list_keys": client.list_keys,
        "stats": client.stats,
        "create": lambda: client.create_key(SPEC),
        "revoke": lambda: client.revoke_key(hash_of(OLD_TOKEN)),
        "export": lambda: list(client.open_export()),
    }
    try:
        calls[call]()
    except UpstreamError as error:
        assert_bare(everything(error))
    else:
        assert call in ("revoke", "export")  # a 200 is all the one asks for, braces the other

    assert_bare(caplog.text)
    assert_bare(repr(client) + repr(vars(client)))
    # An idle connection keeps the head of its last reply, in memory alone.
    kept: list[object] = [client] if how == "redirect" else [client, adapter._sessions]
    assert_bare("\n".join(reachable(kept)))
    if call == "revoke":
        assert OLD_TOKEN in estuary.requests[1].target


def test_good_replies_leave_no_token_behind(
    node: NodeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    estuary = node(json_reply(CREATED), LIST, LIST, DONE)
    client = client_of(estuary)

    created, listed = client.create_key(SPEC), client.list_keys()
    client.revoke_key(hash_of(OLD_TOKEN))

    assert created.token == TOKEN
    assert_bare("\n".join(reachable([client, listed, adapter._sessions])))
    assert_bare(repr(created) + repr(listed))
    assert "EST…" in caplog.text
    assert_bare(caplog.text)


def test_a_log_handler_of_somebody_else_sees_no_token(
    node: NodeFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    logger, handler = logging.getLogger("urllib3.connectionpool"), logging.StreamHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        client_of(node(LIST, DONE)).revoke_key(hash_of(OLD_TOKEN))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    text = capfd.readouterr().err
    assert "DELETE /user/api-keys/EST…" in text
    assert_bare(text)


def test_an_error_has_neither_cause_nor_context(node: NodeFactory) -> None:
    estuary: ScriptedNode = node(reset, reset, reset)
    with pytest.raises(UpstreamError) as caught:
        client_of(estuary).stats()

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("token", [TOKEN, f"{TOKEN}{OLD_TOKEN}", "EST%31-1_1.~ARY", "ESTxARYxARY"])
def test_redaction_leaves_nothing_of_a_token(token: str) -> None:
    assert redact(f"DELETE /user/api-keys/{token} HTTP/1.1") == (
        "DELETE /user/api-keys/EST… HTTP/1.1"
    )


def test_redaction_leaves_the_name_of_estuary() -> None:
    assert redact("Set ESTUARY_API_URL.") == "Set ESTUARY_API_URL."


def test_a_secret_is_not_shown_by_accident() -> None:
    secret = Secret(TOKEN)

    assert_bare(f"{secret} {secret!r} {[secret]} %s" % secret)
    for store in (pickle.dumps, copy.deepcopy, vars):
        with pytest.raises(TypeError):
            store(secret)
    assert secret.reveal() == TOKEN


def test_a_client_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(EstuaryClient("http://127.0.0.1:1", TOKEN))
