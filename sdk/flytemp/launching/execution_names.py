"""Names of executions, and the digest that identifies a launch under a given name."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping

from flytemp.literals.types import Json
from flytemp.names import slug
from flytemp.records.launch import LaunchOptions

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def generate_name() -> str:
    """Return a random name in Flyte's form: "a" and 19 random letters and digits."""
    return "a" + "".join(secrets.choice(_ALPHABET) for _ in range(19))


def generate_local_name() -> str:
    """Return a random name for an execution that runs without a server: "local-" and 12 hexadecimal digits."""
    return f"local-{secrets.token_hex(6)}"


def child_name(execution: str, root: str, node: str, attempt: int) -> str:
    """Return the name of the execution that an attempt of a launch plan's node starts.

    The name is readable, and the same whenever it is computed for the same attempt.

    Args:
        execution: the name of the parent execution.
        root: the root of the parent execution in the store, which is unique.
        node: the path of the node.
        attempt: the number of the attempt, from 1.
    """
    digest = hashlib.sha256(f"{root}/{node}/{attempt}".encode()).hexdigest()[:10]
    return f"{slug(execution, 30)}-{slug(node, 18)}-{digest}"


def launch_digest(target: str, inputs: Mapping[str, Json], options: LaunchOptions) -> str:
    """Return the digest of a launch: a second launch of the same name is the same execution if the digests are equal.

    Args:
        target: the target as the caller named it, so that a new version does not make it another launch.
        inputs: the caller's inputs.
        options: the options of the launch.
    """
    text = json.dumps([target, inputs, options.model_dump(mode="json")], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
