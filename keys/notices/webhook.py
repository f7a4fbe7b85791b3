"""The channel webhook: signed as standardwebhooks.com describes, to public https addresses only.

The address is resolved here, checked, and connected to by number: a name that points elsewhere the
next moment (DNS rebinding) leads nowhere else. WEBHOOK_NETWORKS allows networks of your own.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import time
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

import certifi
import idna
import urllib3
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.sealing import SealBroken
from keys.models import Message, Reminders
from keys.notices.channels import DeliveryFailed
from keys.notices.secrets import WEBHOOK_PREFIX, webhook_secret
from keys.upstream.deadlines import Deadline, HttpPool, TlsPool, bounded_by, look_up

TIMEOUT_SECONDS = 10.0  # for one delivery, however slowly the bytes arrive
MAX_REPLY_BYTES = 16 * 1024  # read and dropped
#: Errors for answers that are not HTTP.
TROUBLE = (urllib3.exceptions.HTTPError, HTTPException, OSError)
HTTP_GONE = 410
OK_CODES = range(200, 300)

#: IANA gives public IPv6 addresses from here only. Outside are those that translate to an IPv4
#: address, which may be a private one: ::/96, ::ffff:0:0:0/96, 64:ff9b::/96 and 64:ff9b:1::/48.
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
#: Not public, though `is_global` in some versions of Python: Teredo, 6to4 and its relays, which
#: lead to IPv4 addresses too, addresses for protocols, and those for documentation.
NOT_PUBLIC = [
    ipaddress.ip_network(one)
    for one in ("2001::/32", "2002::/16", "192.88.99.0/24", "192.0.0.0/24", "3fff::/20")
]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def deliver(message: Message) -> None:
    """Post one message; raises DeliveryFailed."""
    reminders = Reminders.objects.filter(member_id=message.member_id).first()
    if reminders is None or reminders.webhook_url != message.recipient:
        raise DeliveryFailed("The address was changed meanwhile.", is_final=True)
    try:
        secret = webhook_secret(message.member_id, reminders.webhook_secret)
    except SealBroken:
        raise DeliveryFailed("The secret cannot be opened; save it again.", is_final=True) from None
    body = json.dumps(
        {
            "type": message.kind,
            "timestamp": message.created_at.isoformat(timespec="seconds"),
            "data": {"subject": message.subject, **message.data},
        }
    ).encode()
    post(message.recipient, body, signed_headers(secret, str(message.number), body))


@sensitive_variables("secret", "key")
def signed_headers(secret: str, number: str, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; the time is that of this try."""
    moment = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX))
    content = f"{number}.{moment}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": number,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{signature}",
    }


def post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Post to a checked address, without redirects, cookies or proxies; raises DeliveryFailed."""
    parts = urlsplit(url)
    deadline = Deadline(time.monotonic() + TIMEOUT_SECONDS)
    address = checked_address(parts, deadline)
    headers = headers | {
        "Host": _host_header(parts),
        "Content-Type": "application/json",
        "User-Agent": "estuary-admin",
    }
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    try:
        with bounded_by(deadline), _pool(parts, address) as pool:
            reply = pool.urlopen(
                "POST",
                target,
                body=body,
                headers=headers,
                timeout=deadline.left(),
                redirect=False,
                retries=False,
                preload_content=False,
            )
            with contextlib.suppress(*TROUBLE):  # the status has told how it went
                reply.read(MAX_REPLY_BYTES)
            reply.close()
    except TROUBLE as error:
        raise DeliveryFailed(f"The address did not answer: {type(error).__name__}.") from None
    if reply.status not in OK_CODES:
        is_final = reply.status == HTTP_GONE
        raise DeliveryFailed(f"The address answered {reply.status}.", is_final=is_final)


def _pool(parts: SplitResult, address: IpAddress) -> urllib3.HTTPConnectionPool:
    if parts.scheme == "http":
        return HttpPool(str(address), parts.port or 80, maxsize=1)
    host = _ascii_host(parts)
    return TlsPool(
        str(address),
        parts.port or 443,
        maxsize=1,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=host,
        assert_hostname=host,
    )


def checked_address(parts: SplitResult, deadline: Deadline) -> IpAddress:
    """The address to connect to, if all that the name leads to may be talked to."""
    if problem := problem_of_url(parts):
        raise DeliveryFailed(problem, is_final=True)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        found = look_up(_ascii_host(parts), port, deadline)
    except OSError:
        raise DeliveryFailed("The name of the address cannot be resolved.") from None
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not all(_is_allowed(address, parts.scheme) for address in addresses):
        raise DeliveryFailed("The address is not a public https address.")
    return addresses[0]


def _ascii_host(parts: SplitResult) -> str:
    """The host as DNS, TLS and HTTP write it; raises ValueError when no host is called so."""
    host = parts.hostname or ""
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


def _host_header(parts: SplitResult) -> str:
    if parts.netloc.isascii():
        return parts.netloc
    host = _ascii_host(parts)
    return f"{host}:{parts.port}" if parts.port else host


def problem_of_url(parts: SplitResult) -> str:
    """The reason why an address cannot be a webhook's, found without a request."""
    try:
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return "The port of the address is not a number from 1 to 65535."
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        return "Write an address such as https://example.com/hook, without a password."
    try:
        _ascii_host(parts)
    except ValueError:
        return "The name in the address is none that a host can have."
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_NETWORKS):
        return "Write an https address."
    return ""


def _is_allowed(address: IpAddress, scheme: str) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    plain: IpAddress = mapped or address
    if any(plain in network for network in settings.WEBHOOK_NETWORKS):
        return True
    return scheme == "https" and _is_public(plain)


def _is_public(address: IpAddress) -> bool:
    if address.version == 6 and address not in PUBLIC_IPV6:
        return False
    is_other = any(address in network for network in NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not is_other
