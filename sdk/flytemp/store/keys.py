"""Which texts are keys of a store, and which are its address."""

from __future__ import annotations

import re

from flytemp.errors import InputError, InvalidName

TEMPORARY_PREFIX = ".flytemp-tmp-"
"""Files of this prefix are unfinished writes; they are no objects and are never listed."""

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def check_key(key: str) -> str:
    """Return ``key`` if it is one: relative, and no part of it is empty, ".", ".." or an unfinished write.

    Raises:
        InvalidName: otherwise.
    """
    parts = key.split("/")
    wrong = (
        any(part in ("", ".", "..") or part.startswith(TEMPORARY_PREFIX) for part in parts)
        or "\\" in key
        or any(ord(character) < 32 for character in key)
    )
    if wrong:
        raise InvalidName(
            f"{key[:200]!r} cannot be a key of the store",
            hint="a key is names joined by '/', none of them empty or '..'",
        )
    return key


def protocol_of(uri: str) -> str | None:
    """``"s3"`` for ``s3://…``; None for a plain path."""
    match = _PROTOCOL.match(uri)
    return match[1].lower() if match else None


def local_path(uri: str) -> str | None:
    """The path of ``/abs`` or ``file:///abs``, None for another protocol. Nothing in it is percent-decoded."""
    protocol = protocol_of(uri)
    if protocol is None:
        return uri
    if protocol not in ("file", "local"):
        return None
    path = uri[len(protocol) + len("://") :]
    return path.removeprefix("localhost") if path.startswith("localhost/") else path


def normalise_store_uri(uri: str) -> str:
    """One spelling of a store's address: no trailing slash, ``file://`` for a path.

    Raises:
        InputError: for a relative path, or a text that names no place.
    """
    path = local_path(uri)
    if path is None:
        protocol, _, rest = uri.partition("://")
        trimmed = rest.strip("/") if protocol.lower() == "memory" else rest.rstrip("/")
        if not trimmed:
            raise InputError(
                f"{uri!r} names no place to keep objects", hint="for instance s3://bucket/prefix or /srv/flytemp"
            )
        return f"{protocol.lower()}://{trimmed}"
    if not path.startswith("/"):
        raise InputError(
            f"the store {uri!r} is not an absolute path or a URI",
            hint="for instance /srv/flytemp or s3://bucket/prefix",
        )
    return f"file://{'/' + path.strip('/')}"
