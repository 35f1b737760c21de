"""Texts and imports in the source of a module, for warnings about paths in the code."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PATH_CALLS = frozenset({"Path", "PurePath", "join", "joinpath", "open", "listdir", "scandir", "glob", "iglob", "rglob", "walk"})
_OPENING = frozenset({"open", "Path", "listdir", "scandir", "walk", "imread", "parse", "File", "read_text", "read_bytes"})
_OPENING_PREFIXES = ("read_", "load", "scan_", "open_", "from_file", "from_csv")
_WRITING = frozenset({"FileHandler", "basicConfig", "makedirs"})
_WRITING_PREFIXES = ("to_", "save", "dump")
_WRITING_METHODS = frozenset({"write_text", "write_bytes", "touch", "mkdir", "unlink"})
_WRITING_MODE = re.compile(r"[bt+]*[wax][bt+]*")
_PATH_NAMES = ("dir", "folder", "path", "file")


@dataclass(frozen=True, slots=True)
class SourceText:
    """Text in a module; the values of an f-string are ``*``.

    Attributes:
        text: the text.
        line: its line.
        in_path: whether the code builds a path from it.
        opens: whether it is the path of something that the code opens.
    """

    text: str
    line: int
    in_path: bool = False
    opens: bool = False


@dataclass(frozen=True, slots=True)
class SourceTexts:
    """Texts in a module, and the dotted names that it imports, each with its line.

    Documentation, paths that the code writes, and the block below ``if __name__ == "__main__":`` are left out.
    """

    texts: tuple[SourceText, ...] = ()
    imports: tuple[tuple[str, int], ...] = ()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the texts of a module; none if it cannot be parsed."""
        try:
            tree = ast.parse(file.read_bytes())
            tree.body = [statement for statement in tree.body if not _is_main_block(statement)]
            nodes = list(ast.walk(tree))
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            return cls()
        in_path = {id(part) for node in nodes for part in _path_parts(node)}
        opened = {id(node.args[0]) for node in nodes if isinstance(node, ast.Call) and node.args and _opens(_called(node))}
        left_out = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        left_out |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        written = _written(nodes)
        texts = [
            SourceText(text, node.lineno, id(node) in in_path, id(node) in opened)
            for node in nodes
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in left_out
            if (text := _text(node)) is not None and text not in written
        ]
        return cls(tuple(texts), tuple(found for node in nodes for found in _imports(node)))


def _text(node: ast.Constant | ast.JoinedStr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _opens(name: str) -> bool:
    return name in _OPENING or name.startswith(_OPENING_PREFIXES)


def _path_parts(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that a node uses as paths: operands of ``/``, arguments of ``join``, values of ``DATA_DIR = …``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and (_called(node) in _PATH_CALLS or _opens(_called(node))):
        return list(node.args)
    if isinstance(node, ast.Assign):
        names = [target.id.lower() for target in node.targets if isinstance(target, ast.Name)]
        return [node.value] if any(word in name for name in names for word in _PATH_NAMES) else []
    return []


def _is_main_block(statement: ast.stmt) -> bool:
    """Return whether a statement is ``if __name__ == "__main__":``, which is not executed on workers."""
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.test, ast.Compare):
        return False
    parts = (statement.test.left, *statement.test.comparators)
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in parts)


def _written(nodes: list[ast.AST]) -> set[str]:
    """Return the texts that are paths of files or folders that the code writes. Such a file need not exist before."""
    assigned: dict[str, list[ast.expr]] = {}
    for assignment in [node for node in nodes if isinstance(node, ast.Assign)]:
        for target in assignment.targets:
            if isinstance(target, ast.Name):
                assigned.setdefault(target.id, []).append(assignment.value)
    parts = [_last_part(target) for node in nodes if isinstance(node, ast.Call) for target in _targets(node)]
    parts += [_last_part(value) for part in parts if isinstance(part, ast.Name) for value in assigned.get(part.id, ())]
    return {text for part in parts if isinstance(part, ast.Constant | ast.JoinedStr) and (text := _text(part)) is not None}


def _targets(call: ast.Call) -> list[ast.expr]:
    """Return the expressions of the paths that a call may write."""
    name, keywords = _called(call), [word.value for word in call.keywords]
    receiver = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    if name == "open":
        return [*receiver, *call.args[:1]] if any(map(_is_writing_mode, [*call.args[:2], *keywords])) else []
    if name in _WRITING_METHODS:
        return [*receiver, *call.args[:1]]
    return [*call.args, *keywords] if name in _WRITING or name.startswith(_WRITING_PREFIXES) else []


def _is_writing_mode(mode: ast.expr) -> bool:
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and _WRITING_MODE.fullmatch(mode.value) is not None


def _last_part(path: ast.expr) -> ast.expr:
    """Return the expression of the last part of a path."""
    if isinstance(path, ast.BinOp):
        return _last_part(path.right)
    if isinstance(path, ast.Call) and path.args and _called(path) in _PATH_CALLS:
        return _last_part(path.args[-1])
    return path


def _imports(node: ast.AST) -> list[tuple[str, int]]:
    if isinstance(node, ast.Import):
        return [(alias.name, node.lineno) for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    around = node.module or ""
    inside = [(f"{around}.{alias.name}".strip("."), node.lineno) for alias in node.names]
    return [(around, node.lineno), *inside] if around else inside
