"""URIs that a client may name in the inputs of a launch, in its options, and in the answers to gates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from flytemp.errors import InputError
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.uploads import uris_in
from flytemp.store.keys import local_path, protocol_of

ALL_URIS = "*"
"""Prefix that permits each URI."""

_CHAIN = re.compile(r"::[A-Za-z][A-Za-z0-9+.-]*:/")

SETTING = "allowed_uri_prefixes"


class AllowedUris:
    """Allow-list of URI prefixes.

    Args:
        prefixes: URIs or absolute paths. A prefix permits itself and everything below it. None or ``*`` permit each URI.
    """

    def __init__(self, prefixes: Iterable[str] | None) -> None:
        found = None if prefixes is None else tuple(prefixes)
        self._prefixes = None if found is None or ALL_URIS in found else tuple(filter(None, map(_normal, found)))

    def permits(self, uri: str) -> bool:
        """Return whether a client may name a URI or path."""
        if self._prefixes is None:
            return True
        normal = _normal(uri)
        return normal is not None and any(_is_below(normal, prefix) for prefix in self._prefixes)

    def check(self, what: str, uri: str) -> None:
        """Check a URI; ``what`` describes its place in the message.

        Raises:
            InputError: a client may not name the URI.
        """
        if not self.permits(uri):
            raise InputError(
                f"{what}: a launch may not name {uri!r}: it is not below a prefix that the worker allows",
                hint=f"pass a local file to `flytemp launch`, which uploads it, or list the prefix in the worker's {SETTING}",
            )

    def check_literals(self, literals: Mapping[str, Json], types: Mapping[str, LiteralType], noun: str = "input") -> None:
        """Check each URI of a file or directory in canonical literals.

        Raises:
            InputError: a client may not name a URI.
        """
        if self._prefixes is None:
            return
        for name, literal in literals.items():
            for uri in uris_in(literal, types[name]):
                self.check(f"{noun} {name!r}", uri)


def _normal(uri: str) -> str | None:
    """Return the form of a URI for comparison, or None if a launch can never name it: a relative path, a chain, ``..``."""
    if _CHAIN.search(uri):
        return None
    path = local_path(uri)
    if path is not None:
        return None if not path.startswith("/") or _climbs(path) else f"file://{path}"
    protocol = protocol_of(uri) or ""
    rest = uri[len(protocol) + len("://") :]
    host, slash, inside = rest.partition("/")
    if _climbs(inside) or re.search(r"[\\\s\x00-\x1f]", host):
        return None
    return f"{protocol}://{host.lower() if protocol in ('http', 'https') else host}{slash}{inside}"


def _climbs(path: str) -> bool:
    decoded = unquote(unquote(path))  # a proxy and the server behind it may both decode
    return any(part in ("..", ".") for part in decoded.replace("\\", "/").split("/"))


def _is_below(uri: str, prefix: str) -> bool:
    if prefix.endswith("://"):
        return uri.startswith(prefix)
    folder = prefix.rstrip("/")
    return uri == folder or uri.startswith(f"{folder}/")
