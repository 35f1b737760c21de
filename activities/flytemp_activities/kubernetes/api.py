"""The Kubernetes API as raw JSON: the one module that talks to it.

The official client finds and refreshes the credentials (kubeconfig contexts, exec plug-ins, the service account inside a
cluster). Its typed models are left out: parsing a pod into them takes ten times as long as parsing its JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic_core import from_json

from flytemp.errors import ConfigError, KubernetesUnavailable, NotSupported

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
Json = dict[str, Any]

REQUEST_SECONDS = 30.0
"""For one request, from the connection to the last byte of the answer. A watch has its own bounds."""

START_PAUSES = (0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0)
"""Between the requests of a worker that starts, to an API server that does not answer: about half a minute."""

CONNECTIONS = 128
"""Requests at once; a burst of creations is bounded by the API server, not by this."""

LINE_BYTES = 4 * 1024 * 1024
"""A watch event's longest line; etcd keeps objects of 1.5 MiB at most."""

logger = logging.getLogger("flytemp.kubernetes")


class ApiError(Exception):
    """The API server refused, or did not answer (``status`` 0).

    ``reason`` and ``message`` are those of its Status object; ``retry_after`` is in seconds.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {self.reason}: {self.message}".strip()

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later, without anybody doing anything."""
        return self.status in (0, 408, 429) or self.status >= 500

    @property
    def is_unclear(self) -> bool:
        """Whether the server may have done what it was asked for all the same."""
        return self.status in (0, 408) or self.status >= 500

    @property
    def is_quota(self) -> bool:
        """Whether a ResourceQuota has no room. Quota is checked before the name: it hides that the object exists."""
        return self.status == 403 and "exceeded quota" in self.message


class KubernetesApi:
    """Requests to one cluster. Use it as an async context manager, or call `close`."""

    def __init__(self, session: aiohttp.ClientSession, configuration: Any, namespace: str, agent: str) -> None:
        self._session = session
        self._agent = agent
        self._configuration = configuration
        self._server = str(configuration.host).rstrip("/")
        self.namespace = namespace
        """Of the context, or of the service account: what counts where nobody names one."""

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, context: str | None = None, *, agent: str = "flytemp"
    ) -> KubernetesApi:
        """With the given kubeconfig file and context; by default as kubectl does, and inside a cluster as its pods do.

        ``agent`` is how the API server's audit log names us.

        Raises:
            NotSupported: the client is not installed.
            ConfigError: there is no usable configuration.
        """
        try:
            import aiohttp
            from kubernetes.aio.client import Configuration
        except ImportError as error:
            hint = "pip install 'flytemp[kubernetes]'"
            raise NotSupported("the Kubernetes backend needs a client that is not installed", hint=hint) from error
        configuration = Configuration()
        namespace = await _load(configuration, kubeconfig, context)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=_tls(configuration), keepalive_timeout=60)
        proxy = configuration.proxy or _proxy_of(str(configuration.host))  # asked once, not with every request
        session = aiohttp.ClientSession(connector=connector, proxy=proxy, read_bufsize=LINE_BYTES)
        return cls(session, configuration, namespace, agent)

    async def __aenter__(self) -> KubernetesApi:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request, with its JSON answer.

        Raises:
            ApiError: it was refused, or there was no answer.
        """
        answer = await self._read(method, path, parameters, body, content_type)
        try:
            found: Json = from_json(answer)
        except ValueError as error:  # it came from something between: the API server speaks JSON
            raise ApiError(0, "BadAnswer", f"the answer is no JSON: {answer[:200]!r}") from error
        return found

    async def text(self, path: str, *, parameters: Mapping[str, str] | None = None) -> bytes:
        """The bytes of an answer that is no JSON: a log.

        Raises:
            ApiError: as `request`.
        """
        return await self._read("GET", path, parameters, None, "")

    async def _read(
        self, method: str, path: str, parameters: Mapping[str, str] | None, body: Json | None, content_type: str
    ) -> bytes:
        import aiohttp

        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = await self._headers()
        if data is not None:
            headers["Content-Type"] = content_type
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=10)
        try:
            async with self._session.request(
                method, self._server + path, params=parameters, data=data, headers=headers, timeout=timeout
            ) as answer:
                content = await answer.read()
                if answer.status >= 400:
                    raise _refusal(answer.status, content, answer.headers)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error) or "the request timed out") from error

    async def watch(self, path: str, parameters: Mapping[str, str], *, silence_seconds: float) -> AsyncIterator[Json]:
        """The events of a watch, until the server ends it.

        Args:
            silence_seconds: a connection that says nothing for so long is taken for dead.

        Raises:
            ApiError: it was refused, or the connection broke.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence_seconds)
        try:
            async with self._session.get(
                self._server + path, params={**parameters, "watch": "1"}, headers=await self._headers(), timeout=timeout
            ) as answer:
                if answer.status >= 400:
                    raise _refusal(answer.status, await answer.read(), answer.headers)
                async for line in answer.content:
                    if line.strip():
                        yield from_json(line)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(0, type(error).__name__, str(error) or "the watch fell silent") from error

    async def stream(self, path: str, parameters: Mapping[str, str]) -> AsyncIterator[bytes]:
        """A log that is followed, as it comes. The first part, which is empty, says that the answer has begun.

        Raises:
            ApiError: as `watch`.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        try:
            async with self._session.get(
                self._server + path, params=parameters, headers=await self._headers(), timeout=timeout
            ) as answer:
                if answer.status >= 400:
                    raise _refusal(answer.status, await answer.read(), answer.headers)
                yield b""
                async for chunk in answer.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error) or "the connection broke") from error

    async def _headers(self) -> dict[str, str]:
        settings = await self._configuration.auth_settings()
        token = settings.get("BearerToken")
        headers = {"Accept": "application/json", "User-Agent": self._agent}
        if token and token["value"]:
            headers["Authorization"] = token["value"]
        return headers


def _refusal(status: int, content: bytes, headers: Mapping[str, str]) -> ApiError:
    try:
        told = json.loads(content)
        reason, message = str(told.get("reason") or ""), str(told.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", content[:500].decode("utf-8", "replace")
    wait = headers.get("Retry-After", "")
    return ApiError(status, reason, message, float(wait) if wait.isdigit() else None)


async def _load(configuration: Any, kubeconfig: str | None, context: str | None) -> str:
    """Fill the client's configuration; the namespace that goes with it."""
    from kubernetes.aio import config

    in_cluster = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if in_cluster and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return _own_namespace()
        loading = config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        await loading
        found: Any = await asyncio.to_thread(config.list_kube_config_contexts, kubeconfig)
    except (config.ConfigException, OSError, ValueError) as error:
        hint = "set KUBECONFIG, or kubernetes.kubeconfig and kubernetes.context; inside a cluster a service account is enough"
        raise ConfigError(f"there is no way to a Kubernetes cluster: {error}", hint=hint) from error
    contexts, active = found
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


def _proxy_of(host: str) -> str | None:
    """The proxy that the environment names for the API server."""
    parts = urlsplit(host)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def _own_namespace() -> str:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as file:
            return file.read().strip() or "default"
    except OSError:
        return "default"


def _tls(configuration: Any) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


async def patiently(
    request: Callable[[], Awaitable[T]], is_passing: Callable[[ApiError], bool], pauses: Sequence[float]
) -> T:
    """The answer to a request, made again after each of the pauses where the server has trouble that passes.

    Raises:
        ApiError: it was refused, or the trouble lasts.
    """
    for pause in pauses:
        try:
            return await request()
        except ApiError as error:
            if not is_passing(error):
                raise
            await asyncio.sleep((error.retry_after or pause) * random.uniform(0.8, 1.2))
    return await request()


async def connected(api: KubernetesApi) -> KubernetesApi:
    """``api``, when its server answers; one that is just being started has half a minute.

    Raises:
        KubernetesUnavailable: it does not, or refuses the credentials.
    """
    try:
        await patiently(lambda: api.request("GET", "/version"), _is_coming, START_PAUSES)
    except ApiError as error:
        await api.close()
        hint = "is this the right context, and are its credentials valid? kubectl version asks the same"
        raise KubernetesUnavailable(f"the Kubernetes API server is not to be used: {error}", hint=hint) from error
    return api


def _is_coming(error: ApiError) -> bool:
    if error.is_passing:
        logger.warning("the Kubernetes API server does not answer yet: %s", error)
    return error.is_passing
