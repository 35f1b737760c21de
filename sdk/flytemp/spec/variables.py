"""Environment variables of tasks: valid names and values, and the names that flytemp itself uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flytemp.pods.shape import is_unicode

RESERVED_VARIABLES = frozenset(
    {"FLYTEMP_INVOCATION", "FLYTEMP_INVOCATION_KEY", "FLYTEMP_POD_UID", "FLYTEMP_PROTOCOL", "FLYTEMP_STORE", "FLYTEMP_INPUTS_DIR",
     "FLYTEMP_OUTPUTS_DIR", "FLYTEMP_PROCESS_GUARD"}
)  # fmt: skip
"""Variables by which flytemp starts a task. A task cannot set them."""

MAX_VARIABLE_BYTES = 128 * 1024 - 1
"""Maximum size of a variable with its name. Linux refuses to start a process with a larger one."""

MAX_ENVIRONMENT_BYTES = 1024 * 1024
"""Maximum size of all variables of a task. A pod with a larger environment cannot be stored."""

_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
NAME_RULE = "letters, digits, '_', '-' and '.', not a digit first"


def variable_name_problem(name: str) -> str | None:
    """Return the reason why a task cannot have a variable of this name, or None."""
    if name in RESERVED_VARIABLES:
        return f"the variable {name} is reserved for flytemp"
    return None if _NAME.fullmatch(name) else f"the variable {name!r} has an invalid name: use {NAME_RULE}"


def environment_problems(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a text for each variable that no process or no container can have."""
    total = 0
    for name, value in environment.items():
        if (wrong := variable_name_problem(name)) is not None:
            yield wrong
        elif "\0" in value:
            yield f"the variable {name} has a NUL character in its value"
        elif not is_unicode(value):
            yield f"the variable {name} has a character in its value that is not Unicode"
        else:
            size = len(name) + 1 + len(value.encode())
            total += size
            if size > MAX_VARIABLE_BYTES:
                yield f"the variable {name} has {size} bytes; the maximum is {MAX_VARIABLE_BYTES}"
    if total > MAX_ENVIRONMENT_BYTES:
        yield f"its variables have {total} bytes; the maximum is {MAX_ENVIRONMENT_BYTES}"
