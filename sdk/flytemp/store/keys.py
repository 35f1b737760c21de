"""Keys of objects, and addresses of stores."""

from __future__ import annotations

import re

from flytemp.errors import InputError, InvalidName

TEMPORARY_PREFIX = ".flytemp-tmp-"
"""Prefix of the files of unfinished writes, which are not objects and are never listed."""

MAX_KEY_BYTES = 1_000
"""Maximum length of a key. S3 accepts 1,024 bytes, of which the prefix of the store is a part."""

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def check_key(key: str) -> str:
    """Return ``key`` if it is valid: relative, not too long, and no part is empty, ".", ".." or an unfinished write.

    Raises:
        InvalidName: the key is not valid.
    """
    parts = key.split("/")
    wrong = (
        any(part in ("", ".", "..") or part.startswith(TEMPORARY_PREFIX) for part in parts)
        or "\\" in key
        or any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in key)
        or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES
    )
    if wrong:
        raise InvalidName(
            f"{key[:200]!r} cannot be a key of the store",
            hint="a key consists of names joined by '/', none of them empty or '..'",
        )
    return key


def protocol_of(uri: str) -> str | None:
    """Return the protocol, ``"s3"`` for ``s3://…``, or None for a plain path."""
    match = _PROTOCOL.match(uri)
    return match[1].lower() if match else None


def local_path(uri: str) -> str | None:
    """Return the path of ``/abs`` or ``file:///abs``, without percent-decoding, or None for another protocol."""
    protocol = protocol_of(uri)
    if protocol is None:
        return uri
    if protocol not in ("file", "local"):
        return None
    path = uri[len(protocol) + len("://") :]
    return path.removeprefix("localhost") if path.startswith("localhost/") else path


def normalise_store_uri(uri: str) -> str:
    """Return the normal form of a store's address: no trailing slash, ``file://`` for a path.

    Raises:
        InputError: the path is relative, or the address has no bucket or folder.
    """
    path = local_path(uri)
    if path is None:
        protocol, _, rest = uri.partition("://")
        trimmed = rest.strip("/") if protocol.lower() == "memory" else rest.rstrip("/")
        if not trimmed:
            raise InputError(
                f"the store {uri!r} has no bucket or folder", hint="use an address such as s3://bucket/prefix or /srv/flytemp"
            )
        return f"{protocol.lower()}://{trimmed}"
    if not path.startswith("/"):
        raise InputError(
            f"the store {uri!r} is not an absolute path or a URI",
            hint="use an address such as s3://bucket/prefix or /srv/flytemp",
        )
    return f"file://{'/' + path.strip('/')}"
