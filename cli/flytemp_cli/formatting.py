"""Text forms of types, values, times, durations and sizes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flytemp_cli.style import one_line, printable

if TYPE_CHECKING:
    from flytemp.literals.types import LiteralType
    from flytemp.spec.models import Variable


def type_details(type_: LiteralType) -> str:
    """Return the fields of a structure or the values of an enum; empty for other types."""
    from flytemp.literals.describe import describe_type

    if type_.kind == "struct":
        return ", ".join(f"{field.name}: {describe_type(field.type)}" for field in type_.fields)
    if type_.kind == "enum":
        return "one of " + ", ".join(str(value) for value in type_.values)
    return ""


def literal_type_text(type_: Any) -> str:
    """Return the name of a literal type given as JSON (as in records); "a value" if it is not a literal type."""
    from pydantic import TypeAdapter, ValidationError

    from flytemp.literals.describe import describe_type
    from flytemp.literals.types import LiteralType

    adapter: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)
    try:
        return describe_type(adapter.validate_python(type_))
    except ValidationError:
        return "a value"


def variable_text(variable: Variable) -> str:
    """Return ``name: type = default`` as in a signature."""
    from flytemp.literals.describe import describe_type
    from flytemp.literals.marks import without_marks

    default = "" if variable.required else f" = {json_text(without_marks(variable.default))}"
    return f"{variable.name}: {describe_type(variable.type)}{default}"


def json_text(value: Any) -> str:
    """Return compact JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def value_text(value: Any) -> str:
    """Return a literal for a table: text and URIs of files without quotes, other values as JSON."""
    from flytemp.literals.marks import without_marks

    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict) and set(value) <= {"uri", "format"} and isinstance(value.get("uri"), str):
        return one_line(value["uri"])
    return json_text(without_marks(value))


def duration_text(seconds: float) -> str:
    """Return a duration as ``40ms``, ``1.4s``, ``12s``, ``3m 04s``, ``2h 05m`` or ``3d 4h``."""
    if seconds < 0.95:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    total = int(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m {total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h {total % 3600 // 60:02d}m"
    return f"{total // 86400}d {total % 86400 // 3600}h"


def elapsed_text(started: datetime | None, finished: datetime | None, now: datetime) -> str:
    """Return the time from ``started`` to ``finished`` or ``now``; empty if not started."""
    if started is None:
        return ""
    return duration_text(((finished or now) - started).total_seconds())


def time_text(moment: datetime | None) -> str:
    """Return a time in the local time zone."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago_text(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else f"{time_text(moment)} ({duration_text((now - moment).total_seconds())} ago)"


def utc_now() -> datetime:
    return datetime.now(UTC)


def size_text(size: int) -> str:
    """Return a number of bytes as ``812 B``, ``1.4 KiB`` or ``20 MiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def plural(count: int, noun: str) -> str:
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun.removesuffix('y')}ies" if noun.endswith("ty") else f"{count} {noun}s"
