"""The settings: keys, environment variables, and accepted values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flytemp.errors import InvalidName
from flytemp.names import check_domain, check_project, is_pool
from flytemp.spec.bounds import MAX_DURATION, MAX_SECONDS

WORKER = "worker"
KUBERNETES = "kubernetes"

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIX = re.compile(r"\*\Z|/|[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Field:
    """A setting. ``parse`` converts a TOML value or a text, and raises ValueError with the description of accepted values."""

    name: str
    parse: Callable[[object], Any]
    section: str = ""
    variables: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def whole(minimum: int) -> Callable[[object], int]:
    """Return the parser of a whole number of at least ``minimum``."""

    def parse(value: object) -> int:
        wanted = f"a whole number of at least {minimum}"
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ValueError(wanted)
        return value

    return parse


def seconds(minimum: float) -> Callable[[object], float]:
    """Return the parser of a number of seconds of at least ``minimum``, within the range of Temporal."""

    def parse(value: object) -> float:
        wanted = f"a number of seconds of at least {minimum:g}, and at most {MAX_DURATION}"
        try:
            number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
        except ValueError:
            raise ValueError(wanted) from None
        if not minimum <= number <= MAX_SECONDS:
            raise ValueError(wanted)
        return number

    return parse


def one_of(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(repr(choice) for choice in choices))
        return str(value)

    return parse


def address(value: object) -> str:
    if not isinstance(value, str) or not (match := _HOST_PORT.fullmatch(value.strip())) or int(match[2]) > 65535:
        raise ValueError("host:port, for instance localhost:7233")
    return value.strip()


def address_or_off(value: object) -> str:
    if value in ("", "off"):
        return ""
    try:
        return address(value)
    except ValueError:
        raise ValueError('host:port, for instance 127.0.0.1:9464, or "off"') from None


def variables(value: object) -> tuple[str, ...]:
    wanted = "a list of names of variables, separated by commas in an environment variable"
    names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names):
        raise ValueError(wanted)
    return tuple(names)


def prefixes(value: object) -> tuple[str, ...]:
    wanted = 'a list of URI prefixes or absolute paths, or "*" for each URI, separated by commas in an environment variable'
    found = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and _PREFIX.match(one) for one in found):
        raise ValueError(wanted)
    return tuple(found)


def pool_or_default(value: object) -> str:
    if value == "" or (isinstance(value, str) and is_pool(value.strip())):
        return value.strip()
    raise ValueError("1 to 63 of a-z, 0-9 and '-', or an empty text for the default workers")


def url(value: object) -> str:
    if not isinstance(value, str) or not re.match(r"https?://[^/\s]", value.strip()):
        raise ValueError("an http or https address")
    return value.strip().rstrip("/")


def _name(check: Callable[[str], str]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        try:
            return check(text(value))
        except InvalidName as error:
            raise ValueError((error.hint or "").partition(" is ")[2] or "another name") from error

    return parse


def _top_level(name: str, parse: Callable[[object], Any], *more: str) -> Field:
    return Field(name, parse, variables=(f"FLYTEMP_{name.upper()}", *more))


def _worker(name: str, parse: Callable[[object], Any]) -> Field:
    return Field(name, parse, WORKER, (f"FLYTEMP_WORKER_{name.upper()}",))


def _kubernetes(name: str, parse: Callable[[object], Any]) -> Field:
    return Field(name, parse, KUBERNETES, (f"FLYTEMP_KUBERNETES_{name.upper()}",))


# `loading` makes paths and URIs absolute, because the base of a relative path depends on its source.
FIELDS = (
    _top_level("project", _name(check_project)),
    _top_level("domain", _name(check_domain)),
    _top_level("store", text),
    _top_level("raw_data_prefix", text),
    _top_level("allowed_uri_prefixes", prefixes),
    _top_level("task_queue", text),
    _top_level("address", address, "TEMPORAL_ADDRESS"),
    _top_level("namespace", text, "TEMPORAL_NAMESPACE"),
    _top_level("profile", text, "TEMPORAL_PROFILE"),
    _top_level("ui_url", url),
    _top_level("state_dir", text),
)
WORKER_FIELDS = (
    _worker("slots", whole(1)),
    _worker("backend", one_of("process", "kubernetes", "noop")),
    _worker("pool", pool_or_default),
    _worker("heartbeat_seconds", seconds(0.1)),
    _worker("grace_seconds", seconds(0)),
    _worker("drain_seconds", seconds(0)),
    _worker("recycle_after", whole(1)),
    _worker("max_parallelism", whole(0)),
    _worker("max_in_flight", whole(1)),
    _worker("max_system_tries", whole(1)),
    _worker("continue_as_new_events", whole(0)),
    _worker("continue_as_new_drain_seconds", seconds(0)),
    _worker("max_map_items", whole(1)),
    _worker("max_dynamic_depth", whole(1)),
    _worker("pass_environment", variables),
    _worker("metrics_address", address_or_off),
    _worker("sdk_metrics_address", address_or_off),
)
KUBERNETES_FIELDS = (
    _kubernetes("kubeconfig", text),
    _kubernetes("context", text),
    _kubernetes("namespace", text),
    _kubernetes("image", text),
    _kubernetes("policy", text),
    _kubernetes("pods", whole(1)),
)
SECTIONS = {WORKER: WORKER_FIELDS, KUBERNETES: KUBERNETES_FIELDS}
ALL_FIELDS = FIELDS + WORKER_FIELDS + KUBERNETES_FIELDS
