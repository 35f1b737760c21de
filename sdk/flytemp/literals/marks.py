"""Marks of records: what a value of a class has besides the fields in its literal.

The constructor of a class may run code, for instance ``__post_init__`` or a validator. A task's value has passed that code
already, and running it again could change the value. The literal of such a value therefore has the member `MARK`, and the
value is restored without code of the class. A literal without the member, such as the JSON of a launch, is passed to the
constructor.

The literal of a class with base classes has the member as well: it names the bases, whose fields the literal includes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flytemp.literals.mismatch import Refused

if TYPE_CHECKING:
    from flytemp.literals.types import Json

MARK = "$flytemp"
"""The member of a record's literal that has its `Mark`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Facts about a value that its fields do not have.

    Attributes:
        of: the names of the class and of its bases with fields, the class first.
        unset: the fields of a pydantic model that were not given to its constructor.
        attributes: the literals of the attributes that are not fields.
        needs_constructor: True if only the constructor can create the attributes.
        launched: True if the value was passed to a launch. The class validates it, because a launch may have any JSON.
    """

    of: tuple[str, ...]
    unset: tuple[str, ...] = ()
    attributes: Mapping[str, Json] = field(default_factory=dict)
    needs_constructor: bool = False
    launched: bool = False

    def is_of(self, name: str) -> bool:
        """Return True if the value is of the class, or of a subclass. ``name`` may include a module."""
        return name.rpartition(".")[2] in self.of

    def to_json(self) -> dict[str, Json]:
        """Return the member's value, without what equals the default."""
        written: dict[str, Json] = {"of": list(self.of)}
        if self.unset:
            written["unset"] = list(self.unset)
        if self.attributes:
            written["attributes"] = dict(self.attributes)
        if self.needs_constructor:
            written["needs_constructor"] = True
        if self.launched:
            written["launched"] = True
        return written


def read_mark(literal: Mapping[str, Json], name: str) -> Mark | None:
    """Return the mark of a record's literal; None if it has none, or one of a class that is not ``name`` or a subclass.

    Raises:
        Refused: the member is not a mark.
    """
    if MARK not in literal:
        return None
    given = literal[MARK]
    if not is_mark(given):
        raise Refused(f"the member {MARK!r} is malformed", hint="leave it out: only flytemp writes it")
    mark = Mark(
        of=tuple(given["of"]),
        unset=tuple(given.get("unset", ())),
        attributes=given.get("attributes", {}),
        needs_constructor=bool(given.get("needs_constructor")),
        launched=bool(given.get("launched")),
    )
    return mark if mark.is_of(name) else None


def as_launched(literal: Json) -> Json:
    """Return the literal with every mark changed to that of a launched value."""
    if isinstance(literal, list):
        return [as_launched(item) for item in literal]
    if not isinstance(literal, dict):
        return literal
    changed = {key: as_launched(item) for key, item in literal.items()}
    if is_mark(changed.get(MARK)):
        changed[MARK] = {**changed[MARK], "launched": True}
    return changed


def without_marks(literal: Json) -> Json:
    """Return the literal as people and other languages read it."""
    if isinstance(literal, list):
        return [without_marks(item) for item in literal]
    if not isinstance(literal, dict):
        return literal
    return {key: without_marks(item) for key, item in literal.items() if key != MARK}


def is_mark(given: Json) -> bool:
    """Return True if the value is the JSON of a mark."""
    if not isinstance(given, dict) or not given.keys() <= {"of", "unset", "attributes", "needs_constructor", "launched"}:
        return False
    attributes = given.get("attributes", {})
    return (
        _are_names(given.get("of"))
        and _are_names(given.get("unset", []))
        and isinstance(attributes, dict)
        and all(name.isidentifier() and not name.startswith("__") for name in attributes)
        and all(isinstance(given.get(flag, False), bool) for flag in ("needs_constructor", "launched"))
    )


def reserved_key() -> Refused:
    """Return the error for a dict of the user that has the key of marks."""
    return Refused(f"the key {MARK!r} is reserved", hint="use another key")


def _are_names(given: Json) -> bool:
    return isinstance(given, list) and all(isinstance(name, str) for name in given)
