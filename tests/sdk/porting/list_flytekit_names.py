"""Writer of ``sdk/flytemp/porting/flytekit.txt``: ``python list_flytekit_names.py <folder of the package flytekit> <version>``.

The source files are parsed and not imported, because some of flytekit's modules need packages that are not installed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

Origin = tuple[str, str]
OUTPUT = Path(__file__).parents[3] / "sdk" / "flytemp" / "porting" / "flytekit.txt"


class Module:
    """Names of one module: those that it defines, and those that it imports from other modules of flytekit."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.defined: dict[str, bool] = {}  # name -> whether it is an exception class
        self.imported: dict[str, Origin] = {}
        for node in _statements(ast.parse(path.read_text()).body):
            self._read(node)

    def _read(self, node: ast.stmt) -> None:
        match node:
            case ast.ClassDef():
                self.defined[node.name] = any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.defined[node.name] = False
            case ast.Assign():
                self.defined.update({name.id: False for t in node.targets for name in ast.walk(t) if isinstance(name, ast.Name)})
            case ast.AnnAssign(target=ast.Name()):
                self.defined[ast.unparse(node.target)] = False
            case ast.ImportFrom():
                source = self._source(node)
                if source.partition(".")[0] == "flytekit":
                    self.imported.update({alias.asname or alias.name: (source, alias.name) for alias in node.names})

    def _source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.package.split(".")
        return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def _origin(modules: dict[str, Module], source: str, name: str, depth: int = 0) -> Origin | None:
    """Return the module that defines the name, or the module of that name with an empty name."""
    module = modules.get(source)
    if module is not None and name in module.defined:
        return source, name
    if module is not None and name in module.imported and depth < 20:
        return _origin(modules, *module.imported[name], depth + 1)
    return (f"{source}.{name}", "") if f"{source}.{name}" in modules else None


def main(folder: Path, version: str) -> None:
    modules = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = Module(name, path)
    lines = [
        f"# Public names of the modules of flytekit {version}; tests/sdk/porting/list_flytekit_names.py writes this file.",
        "# Below a module are the names that it defines (! marks an exception), and those that it imports from other modules.",
    ]
    for name, module in sorted(modules.items()):
        lines.append(name)
        own = [f"{each}{'!' * error}" for each, error in sorted(module.defined.items()) if not each.startswith("_")]
        lines += [f"  = {' '.join(own)}"] if own else []
        sources: dict[str, list[str]] = {}
        for each, (source, original) in sorted(module.imported.items()):
            origin = None if each.startswith("_") or each == "*" else _origin(modules, source, original)
            if origin is not None:
                sources.setdefault(origin[0], []).append(each if each == origin[1] else f"{each}:{origin[1]}")
        lines += [f"  {source} = {' '.join(names)}" for source, names in sorted(sources.items())]
    OUTPUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
