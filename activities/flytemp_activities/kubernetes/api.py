"""Client of the Kubernetes API with raw JSON, the only module that sends requests to it.

The official client finds and refreshes the credentials (kubeconfig contexts, exec plug-ins, the service account inside a
cluster). Its typed models are not used: parsing a pod into them takes ten times as long as parsing its JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic_core import from_json

from flytemp.errors import ConfigError, KubernetesUnavailable, NotSupported
from flytemp.request_retries import pauses

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
Json = dict[str, Any]

REQUEST_SECONDS = 30.0
"""Maximum duration of a request, from the connection to the last byte of the response. A watch has its own limits."""

START_TRIES = 10
"""Requests of a starting worker to an API server that does not answer, within about half a minute."""

CONNECTIONS = 128
"""Maximum number of concurrent requests. The API server limits a burst of creations before this number does."""

LINE_BYTES = 4 * 1024 * 1024
"""Maximum length of a watch event. etcd stores objects of up to 1.5 MiB."""

logger = logging.getLogger("flytemp.kubernetes")


class ApiError(Exception):
    """Error raised when the API server refuses a request or does not answer.

    Attributes:
        status: HTTP status; 0 if there was no response.
        reason: reason of the server's Status object.
        message: message of the server's Status object.
        retry_after: seconds after which the server allows another request, or None.
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
    def is_transient(self) -> bool:
        """True if the same request may succeed later."""
        return not self.is_too_large and (self.status in (0, 408, 429) or self.status >= 500)

    @property
    def is_ambiguous(self) -> bool:
        """True if the server may have executed the request."""
        return not self.is_too_large and (self.status in (0, 408) or self.status >= 500)

    @property
    def is_too_large(self) -> bool:
        """True if the object exceeds a limit. The limits of etcd are smaller than that of the API server, which answers 500."""
        return self.status == 413 or any(text in self.message for text in _TOO_LARGE)

    @property
    def is_quota(self) -> bool:
        """True if a ResourceQuota is exhausted. Kubernetes checks quota before names, so the object may exist already."""
        return self.status == 403 and "exceeded quota" in self.message


_TOO_LARGE = ("etcdserver: request is too large", "trying to send message larger than max")
"""Messages of etcd and of its client about an object that is too large."""


class KubernetesApi:
    """Client of one cluster. Use it as an async context manager, or call `close`."""

    def __init__(self, session: aiohttp.ClientSession, configuration: Any, namespace: str, agent: str) -> None:
        self._session = session
        self._agent = agent
        self._configuration = configuration
        self._server = str(configuration.host).rstrip("/")
        self.namespace = namespace
        """Namespace of the kubeconfig context or the service account; the default namespace of pods."""

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, context: str | None = None, *, agent: str = "flytemp"
    ) -> KubernetesApi:
        """Return a client.

        Args:
            kubeconfig: path of the kubeconfig file; None: as kubectl chooses it, or the service account inside a cluster.
            context: context in the file; None: the current one.
            agent: name of this client in the audit log of the API server.

        Raises:
            NotSupported: the Kubernetes client is not installed.
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
        proxy = configuration.proxy or _proxy_of(str(configuration.host))  # read once, not with every request
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
        """Send a request; return its JSON response.

        Raises:
            ApiError: the request was refused or got no response.
        """
        answer = await self._read(method, path, parameters, body, content_type)
        try:
            found: Json = from_json(answer)
        except ValueError as error:  # a proxy answered: the API server sends JSON
            raise ApiError(0, "BadAnswer", f"the response is not JSON: {answer[:200]!r}") from error
        return found

    async def text(self, path: str, *, parameters: Mapping[str, str] | None = None) -> bytes:
        """Return a response that is not JSON, such as a log.

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
        """Iterate over the events of a watch until the server ends it.

        Args:
            silence_seconds: time without data after which the connection counts as broken.

        Raises:
            ApiError: the watch was refused, or the connection broke.
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
            raise ApiError(0, type(error).__name__, str(error) or "the watch sent no data") from error

    async def stream(self, path: str, parameters: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Iterate over the parts of a log that is followed. The first part is empty and means that the response has begun.

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
        body = json.loads(content)
        reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", content[:500].decode("utf-8", "replace")
    wait = headers.get("Retry-After", "")
    return ApiError(status, reason, message, float(wait) if wait.isdigit() else None)


async def _load(configuration: Any, kubeconfig: str | None, context: str | None) -> str:
    """Fill the configuration of the official client; return the namespace that belongs to it."""
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
        raise ConfigError(f"there is no Kubernetes configuration: {error}", hint=hint) from error
    contexts, active = found
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


def _proxy_of(host: str) -> str | None:
    """Return the proxy for the API server that the environment configures."""
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


async def retry_transient(
    request: Callable[[], Awaitable[T]], is_transient: Callable[[ApiError], bool], waits: Iterable[float]
) -> T:
    """Return the response to a request, which is repeated after each of the pauses if the error is transient.

    Args:
        request: the request.
        is_transient: returns whether a request with this error is repeated.
        waits: seconds before each repetition; see `flytemp.request_retries.pauses`. A server's time has precedence.

    Raises:
        ApiError: the error is not transient, or it is the error of the last try.
    """
    for pause in waits:
        try:
            return await request()
        except ApiError as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(error.retry_after or pause)
    return await request()


async def connected(api: KubernetesApi) -> KubernetesApi:
    """Return ``api`` when its server answers, which may take half a minute after the start of a cluster.

    Raises:
        KubernetesUnavailable: the server does not answer, or refuses the credentials.
    """
    try:
        await retry_transient(lambda: api.request("GET", "/version"), _is_starting, pauses(START_TRIES, 0.5, 2, 5.0))
    except ApiError as error:
        await api.close()
        hint = "check the context and its credentials, for example with `kubectl version`"
        raise KubernetesUnavailable(f"the Kubernetes API server cannot be used: {error}", hint=hint) from error
    return api


def _is_starting(error: ApiError) -> bool:
    if error.is_transient:
        logger.warning("the Kubernetes API server does not answer yet: %s", error)
    return error.is_transient
