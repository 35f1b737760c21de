"""A proxy in front of the real API server that does what networks and busy servers do: refuse, stall, cut, forget to answer.

Clients speak plain HTTP to it, and it speaks TLS to the server. Without a fault it passes everything on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp import web

FOR_EVER = 1_000_000
"""A number of times without limit."""

_POD = re.compile(r"/api/v1/(?:namespaces/[^/]+/)?pods(?P<name>/[^/]+)?(?P<part>/[^/]+)?$")
_HOP_BY_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(eq=False)
class Fault:
    """Fault of the next ``times`` requests of a kind. ``met`` is set when it has occurred; ``freed`` releases held requests."""

    kind: str
    times: int
    act: Callable[[web.Request], Awaitable[web.StreamResponse]]
    met: asyncio.Event = field(default_factory=asyncio.Event)
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """End the fault and release the held requests."""
        self.times = 0
        self.freed.set()


class Watch:
    """One open watch through the proxy."""

    def __init__(self, request: web.Request, answer: web.StreamResponse) -> None:
        self._request = request
        self._answer = answer

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self, data: bytes) -> None:
        await self._answer.write(data)


class FaultProxy:
    """The proxy; an async context manager.

    ``seen`` counts requests by kind, ``opened`` the watches that could be cut, ``created`` the pods that came into being.

    Kinds: ``create``, ``get``, ``delete``, ``list``, ``watch`` (of pods), ``log``, ``other``.
    """

    def __init__(self, server: str, ca_file: Path | None, token: str) -> None:
        self._server = server
        self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
        self._token = token
        self._faults: list[Fault] = []
        self._watches: set[Watch] = set()
        self._needle: bytes | None = None
        self._mute = False
        self._closing = asyncio.Event()
        self.watching = asyncio.Event()
        self.seen: Counter[str] = Counter()
        self.opened = 0
        self.created: Counter[str] = Counter()
        self.url = ""

    async def __aenter__(self) -> FaultProxy:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=1 << 22, auto_decompress=False)
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        for fault in self._faults:
            fault.end()
        self.cut_watches()
        await self._runner.cleanup()
        await self._session.close()

    def write_kubeconfig(self, path: Path) -> Path:
        """Return a kubeconfig for the proxy."""
        named = {
            "clusters": [{"name": "faulty", "cluster": {"server": self.url}}],
            "users": [{"name": "someone", "user": {"token": self._token}}],
            "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "someone"}}],
        }
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "faulty", **named}))
        return path

    # -------------------------------------------------------------------------------------- faults

    def refuse(self, kind: str, status: int, *, times: int = 1, reason: str = "", retry_after: int | None = None) -> Fault:
        """Respond with an error, without a request to the server."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        told = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": "refused by the test"}

        async def act(request: web.Request) -> web.StreamResponse:
            return web.json_response(told, status=status, headers=headers)

        return self._add(kind, times, act)

    def lose_answer(self, kind: str, *, times: int = 1) -> Fault:
        """Forward the request, and cut the connection before the response."""

        async def act(request: web.Request) -> web.StreamResponse:
            await self._pass_on(request)
            return await self._hang_up(request)

        return self._add(kind, times, act)

    def garble(self, kind: str, *, times: int = 1) -> Fault:
        """Forward the request, and respond with the HTML of a gateway."""

        async def act(request: web.Request) -> web.StreamResponse:
            await self._pass_on(request)
            return web.Response(text="<html>Please wait", content_type="text/html")

        return self._add(kind, times, act)

    def hold(self, kind: str, *, times: int = 1) -> Fault:
        """Hold the request until the fault is freed, then forward it."""

        async def act(request: web.Request) -> web.StreamResponse:
            await fault.freed.wait()
            return await self._pass_on(request)

        fault = self._add(kind, times, act)
        return fault

    def hold_answer(self, kind: str, *, times: int = 1) -> Fault:
        """Forward the request, and hold the response until the fault is freed."""

        async def act(request: web.Request) -> web.StreamResponse:
            answer = await self._pass_on(request)
            await fault.freed.wait()
            return answer

        fault = self._add(kind, times, act)
        return fault

    def swallow(self, kind: str, *, times: int = 1) -> Fault:
        """Accept the request, and neither forward it nor respond."""

        async def act(request: web.Request) -> web.StreamResponse:
            await self._closing.wait()
            return await self._hang_up(request)

        return self._add(kind, times, act)

    def _add(self, kind: str, times: int, act: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Fault:
        fault = Fault(kind, times, act)
        self._faults.append(fault)
        return fault

    def cut_watches(self) -> None:
        """Cut every open watch."""
        for watch in list(self._watches):
            watch.abort()

    def cut_in_line(self, needle: str) -> None:
        """Cut the next watch with an event that contains ``needle``, in the middle of that event's line."""
        self._needle = needle.encode()

    def mute_watches(self) -> None:
        """Silence all watches, also new ones, and keep them open."""
        self._mute = True

    async def expire_watches(self) -> None:
        """Send every open watch the error of an expired version, as the server does."""
        status = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"}
        line = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
        for watch in list(self._watches):
            with contextlib.suppress(ConnectionError):
                await watch.write(line)

    # ----------------------------------------------------------------------------------- passing on

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kind = kind_of(request.method, request.path, request.query_string)
        self.seen[kind] += 1
        fault = next((fault for fault in self._faults if fault.kind == kind and fault.times > 0), None)
        try:
            if fault is not None:
                fault.times -= 1
                fault.met.set()
                return await fault.act(request)
            return await (self._stream(request) if kind == "watch" else self._pass_on(request))
        except aiohttp.ClientError:
            return await self._hang_up(request)  # as the server does that is not there

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._session.request(
            request.method, self._server + request.path_qs, data=body or None, headers=_kept(request.headers.items())
        ) as answer:
            content = await answer.read()
            if kind_of(request.method, request.path, "") == "create" and answer.status == 201:
                self.created[json.loads(body)["metadata"]["name"]] += 1
            return web.Response(status=answer.status, body=content, headers=_kept(answer.headers.items()))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        headers = _kept(request.headers.items())
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(self._server + request.path_qs, headers=headers, timeout=timeout) as answer:
            if answer.status >= 400:
                return web.Response(status=answer.status, body=await answer.read(), headers=_kept(answer.headers.items()))
            told = web.StreamResponse(status=answer.status, headers=_kept(answer.headers.items()))
            await told.prepare(request)
            watch = Watch(request, told)
            self._watches.add(watch)
            self.opened += 1
            self.watching.set()
            try:
                # The other end going away, or the watch being cut, ends it; both are what a test wants.
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    async for line in answer.content:
                        await self._tell(watch, line)
            finally:
                self._watches.discard(watch)
            return told

    async def _tell(self, watch: Watch, line: bytes) -> None:
        if self._mute:
            return
        if self._needle is not None and self._needle in line:
            self._needle = None
            await watch.write(line[: len(line) // 2])
            watch.abort()
            raise ConnectionResetError("cut in the middle of a line")
        await watch.write(line)

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # reaches nobody


def kind_of(method: str, path: str, query: str) -> str:
    """Kind and name of a request's object."""
    found = _POD.search(path)
    if found is None:
        return "other"
    if found["part"]:
        return "log" if found["part"] == "/log" else "other"
    if method == "GET" and not found["name"]:
        return "watch" if "watch=1" in query else "list"
    return {"GET": "get", "POST": "create", "DELETE": "delete"}.get(method, "other")


def _kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in _HOP_BY_HOP}
