"""Addresses to which a download from the web may connect.

A URI in the inputs of a launch makes a worker or a pod connect to an address that a client chose. The address is checked when the
connection is made, after each redirect, and for each address of a DNS answer.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import urllib.parse
import urllib.request
from typing import Any, ClassVar

from flytemp.errors import NotSupported

_METADATA_SERVICES = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
"""Metadata services of clouds that are not at link-local addresses: AWS and Google with IPv6, Alibaba, Oracle, Azure."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class LoopbackRule:
    """Context in which downloads of this process may or may not connect to loopback addresses.

    A class, because exceptions of users pass through the context, and a generator's context assigns to them.
    """

    is_allowed: ClassVar[bool] = True

    def __init__(self, *, allowed: bool) -> None:
        self._allowed = allowed
        self._before = True

    def __enter__(self) -> None:
        self._before, LoopbackRule.is_allowed = LoopbackRule.is_allowed, self._allowed

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        LoopbackRule.is_allowed = self._before


def refusal(address: str) -> str | None:
    """Return the reason why a download may not connect to an IP address, or None."""
    found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_link_local or found in _METADATA_SERVICES:
        return "is a link-local address or a metadata service"
    if not LoopbackRule.is_allowed and (found.is_loopback or found.is_unspecified):
        return "is a loopback address"
    return None


def _embedded(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address, if there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_host(host: str) -> None:
    """Check the IP address that a host is, or the addresses that its name has here. A name without addresses passes.

    Raises:
        NotSupported: a download may not connect to the host.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, address in found:
        _check(host, str(address[0]))


def _check(host: str, address: str) -> None:
    if (reason := refusal(address)) is not None:
        shown = host if host == address else f"{host} ({address})"
        raise NotSupported(
            f"a download may not connect to {shown}: it {reason}", hint="copy the file to a bucket, and pass the bucket's URI"
        )


def connect(address: tuple[str, int], timeout: Any = None, source_address: Any = None) -> socket.socket:
    """Return a connection to a host and port, like `socket.create_connection`, to a permitted address only.

    Raises:
        NotSupported: an address of the host is not permitted.
        OSError: no address can be reached.
    """
    host, port = address
    failure: OSError | None = None
    for _, _, _, _, resolved in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        _check(host, str(resolved[0]))
        try:
            return socket.create_connection((str(resolved[0]), port), timeout, source_address)
        except OSError as error:
            failure = error
    raise failure or OSError(f"{host} has no address")


class _Connection(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = connect


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = connect


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(http.client.HTTPConnection if _uses_proxy(req) else _Connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        kind = http.client.HTTPSConnection if _uses_proxy(req) else _SecureConnection
        return self.do_open(kind, req, context=self._context)  # type: ignore[attr-defined]


class _HostCheck(urllib.request.BaseHandler):
    """Check of the host of each request, also after a redirect and with a proxy, which resolves names itself."""

    handler_order = 100  # before ProxyHandler replaces the host

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        check_host(urllib.parse.urlsplit(request.full_url).hostname or "")
        return request

    https_request = http_request


def _uses_proxy(request: urllib.request.Request) -> bool:
    return request.has_proxy() or bool(getattr(request, "_tunnel_host", None))


def opener() -> urllib.request.OpenerDirector:
    """Return an opener of http(s) addresses that connects to permitted addresses only. It follows no redirect to FTP."""
    director = urllib.request.OpenerDirector()
    handlers: tuple[urllib.request.BaseHandler, ...] = (
        _HostCheck(), urllib.request.ProxyHandler(), _Handler(), _SecureHandler(), urllib.request.UnknownHandler(),
        urllib.request.HTTPRedirectHandler(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
    )  # fmt: skip
    for handler in handlers:
        director.add_handler(handler)
    return director
