"""YAML and JSON as values with line numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from flytemp.errors import Location, Problem, ProgramError
from flytemp.json_text import nesting_exceeds

if TYPE_CHECKING:
    import yaml

Json: TypeAlias = Any
_DEPTH = 200  # maximum depth of nested maps and lists
_ALIASES_FACTOR, _ALIASES_BASE = 20, 10_000
"""Aliases may multiply the values of a file by the factor, and small files have the base."""



_NO_KEYS: Mapping[str, int] = {}


@dataclass(slots=True)
class Tree:
    """Value in a file, with its line. The ``value`` of a map or list contains further trees."""

    value: Json
    line: int
    keys: Mapping[str, int] = field(default_factory=lambda: _NO_KEYS)  # lines of a map's keys

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    def plain(self) -> Json:
        """Return the value without lines."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return [item.plain() for item in self.value] if isinstance(self.value, list) else self.value

    def at(self, path: Sequence[str | int]) -> tuple[int, tuple[str | int, ...]]:
        """Return the line of the deepest existing part on ``path``, and the steps to it. Steps that do not exist are skipped."""
        tree, walked = self, list[str | int]()
        line: int = self.line
        for step in path:
            if isinstance(step, str) and tree.is_map and step in tree.value:
                line = tree.keys[step] if step in tree.keys else tree.value[step].line
            elif not (isinstance(step, int) and tree.is_list and 0 <= step < len(tree.value)):
                continue
            else:
                line = tree.value[step].line
            tree = tree.value[step]
            walked.append(step)
        return line, tuple(walked)


def map_of(line: int, **items: Json) -> Tree:
    """Return a tree of a map; all plain values get the same line."""
    return Tree({key: tree_of(item, line) for key, item in items.items()}, line)


def tree_of(value: Json, line: int) -> Tree:
    """Return the tree of a value, which may contain trees; all plain values get the same line."""
    if isinstance(value, Tree):
        return value
    if isinstance(value, dict):
        return Tree({key: tree_of(item, line) for key, item in value.items()}, line)
    return Tree([tree_of(item, line) for item in value], line) if isinstance(value, list) else Tree(value, line)


def read_trees(text: str, file: str) -> list[Tree]:
    """Return the documents in a file. A list of documents counts as several documents.

    Raises:
        ProgramError: if the text is not YAML or, for a file named ``*.json``, not JSON.
    """
    trees = _json_trees(text, file) if file.endswith(".json") else _yaml_trees(text, file)
    return [tree for each in trees for tree in (each.value if each.is_list else [each]) if tree.value is not None]


def _json_trees(text: str, file: str) -> list[Tree]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise _broken(file, 1, _TOO_DEEP) from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise _broken(file, line, f"the file is not JSON: {getattr(error, 'msg', error)}") from None
    if nesting_exceeds(value, _DEPTH - 1):  # `_DEPTH` counts the innermost value, too
        raise _broken(file, 1, _TOO_DEEP)
    # JSON without tabs is YAML. The lines are from the YAML parser, the values from the JSON parser.
    try:
        (lines,) = _yaml_trees(text.replace("\t", " "), file)
    except (ProgramError, ValueError):
        return [tree_of(value, 1)]
    return [_with_lines(value, lines)]


def _with_lines(value: Json, lines: Tree) -> Tree:
    if isinstance(value, dict) and lines.is_map:
        items = {key: _with_lines(item, lines.value.get(key, lines)) for key, item in value.items()}
        return Tree(items, lines.line, lines.keys)
    if isinstance(value, list) and lines.is_list and len(lines.value) == len(value):
        return Tree([_with_lines(item, line) for item, line in zip(value, lines.value, strict=True)], lines.line)
    return tree_of(value, lines.line)


def _yaml_trees(text: str, file: str) -> list[Tree]:
    import yaml

    try:
        events = _check_events(text, file)
        nodes = list(yaml.compose_all(text, _loader()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(file, mark.line + 1 if mark else 1, f"the file is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise _broken(file, 1, f"the file is not YAML: {error}") from None
    reader = _Reader(file, _ALIASES_FACTOR * events + _ALIASES_BASE)
    return [reader.tree(node) for node in nodes if node is not None]


def _check_events(text: str, file: str) -> int:
    """Check the depth of nested values before PyYAML composes them, by recursion in C that a deep file would overflow.

    Returns:
        The number of events, which is at least the number of values.
    """
    import yaml

    depth = count = 0
    for event in yaml.parse(text, _loader()):
        count += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH:
                raise _broken(file, event.start_mark.line + 1 if event.start_mark else 1, _TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return count


class _Reader:
    """Converter of YAML nodes to trees. Aliases are expanded, up to ``limit`` values."""

    def __init__(self, file: str, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._values = 0

    def tree(self, node: yaml.Node, depth: int = 0) -> Tree:
        import yaml

        line = node.start_mark.line + 1
        self._count(line, depth)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            raise _broken(self._file, line, f"the tag {node.tag.removeprefix(_TAG)} is not known")
        if isinstance(node, yaml.MappingNode):
            values: dict[str, Tree] = {}
            lines: dict[str, int] = {}
            for key_line, key, value in self._pairs(node, depth):
                values[key] = value
                lines[key] = key_line
            return Tree(values, line, lines)
        if isinstance(node, yaml.SequenceNode):
            return Tree([self.tree(item, depth + 1) for item in node.value], line)
        return Tree(self._scalar(node), line)

    def _pairs(self, node: yaml.MappingNode, depth: int) -> Iterator[tuple[int, str, Tree]]:
        own: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                yield from self._merged(value, depth)
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                continue
            line = key.start_mark.line + 1
            if not hasattr(key, "value") or not isinstance(key.value, str):
                raise _broken(self._file, line, "a key must not be a map or a list")
            if key.value in own:
                raise _broken(self._file, line, f"the key {key.value!r} occurs twice, first on line {own[key.value]}")
            own[key.value] = line
            yield line, key.value, self.tree(value, depth + 1)

    def _merged(self, node: yaml.Node, depth: int) -> Iterator[tuple[int, str, Tree]]:
        import yaml

        maps = list(reversed(node.value)) if isinstance(node, yaml.SequenceNode) else [node]
        for each in maps:
            if not isinstance(each, yaml.MappingNode):
                raise _broken(self._file, node.start_mark.line + 1, "<< must be followed by a map")
            self._count(node.start_mark.line + 1, depth)
            yield from self._pairs(each, depth + 1)

    def _count(self, line: int, depth: int) -> None:
        if depth > _DEPTH:
            raise _broken(self._file, line, _TOO_DEEP)
        self._values += 1
        if self._values > self._limit:
            text = f"the file has more than {self._limit:,} values when its aliases are expanded"
            raise _broken(self._file, line, text, "write fewer aliases (*name), or split the file")

    def _scalar(self, node: yaml.Node) -> Json:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                try:
                    return int(text, 0 if text[:2] in ("0x", "0o") else 10)
                except ValueError:
                    raise _broken(self._file, node.start_mark.line + 1, f"the number has {len(text)} digits") from None
            case "float":
                return _SPECIAL.get(text.lower().lstrip("+")) or float(text)
            case "str" | "!":
                return text
            case tag:
                raise _broken(self._file, node.start_mark.line + 1, f"the tag {tag} is not known")


_TAG = "tag:yaml.org,2002:"
_PLAIN = (f"{_TAG}map", f"{_TAG}seq")
_SPECIAL = {".inf": "Infinity", "-.inf": "-Infinity", ".nan": "NaN"}
# Only the scalars of YAML 1.2 and JSON: in YAML 1.1, "no" is false, 1:30 is 90 and 2026-01-31 is a date.
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
)


def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, list[Any]] = {}

    for name, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(f"{_TAG}{name}", re.compile(rf"(?:{pattern})\Z"), first)
    return Loader


_TOO_DEEP = f"the value is nested more than {_DEPTH} levels deep, or contains itself"


def _broken(file: str, line: int, message: str, hint: str | None = None) -> ProgramError:
    return ProgramError([Problem(message, Location(file, line), hint)])
