"""Expansion of the short forms in spec files to complete documents. Lines are kept.

An author may write

* a workflow's, task's or launch plan's fields at the top of the document, without ``workflows: {name: …}`` around them;
* types as text, interfaces as ``name: type``;
* bindings as ``$inputs.x`` and ``$node.output``; everything else in their place is a constant;
* no ids: nodes are ``n0``, ``n1``, … then, as in compiled workflows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flytemp.compiler.yaml.text import InvalidText, read_reference, read_type
from flytemp.compiler.yaml.trees import Tree, map_of, tree_of
from flytemp.errors import Location, Problem
from flytemp.names import entry_name

_AROUND = {
    "task": ("schema_version", "kind", "bundle"),
    "workflow": ("schema_version", "kind", "name", "tasks", "launch_plans", "bundle"),
    "launch_plan": ("schema_version", "kind", "interface", "workflow_digest"),
}
_BINDINGS = ("literal", "input", "output", "error", "list", "map")
_CONSTANT_KINDS = {bool: "boolean", int: "integer", float: "float", str: "string", type(None): "none"}


class Expander:
    """Expander of the documents of one file.

    Attributes:
        incomplete: tasks without an interface, which their code has.
    """

    def __init__(self, file: str, relative: str) -> None:
        self.problems: list[Problem] = []
        self.incomplete: list[Tree] = []
        self._file, self._relative = file, relative

    def problem(self, line: int, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, Location(self._file, line), hint))

    def document(self, tree: Tree) -> Tree | None:
        """Return the complete form of a document; None, with a problem added, if its kind is unknown."""
        kind = tree.value["kind"].value if tree.is_map and "kind" in tree.value else None
        if not isinstance(kind, str) or kind not in _AROUND:
            what = "this is not a document" if kind is None else f"a document of kind {kind!r} is not known"
            self.problem(tree.line, what, "write a map with kind: task, workflow or launch_plan")
            return None
        if kind == "workflow":
            return self._workflow_document(tree)
        inner = tree.value.get(kind)
        around, own = (tree, inner) if inner is not None else self._split(tree, kind)
        own = _given(self._map(own, f"the {kind.replace('_', ' ')}"))
        if kind == "task":
            return _with(around, task=self._task(own, ""))
        defaults: dict[str, Any] = {"interface": {}, "workflow_digest": ""}
        missing = {key: value for key, value in defaults.items() if key not in around.value}
        around = _with(around, **missing, launch_plan=self._placed(own))
        return _with(around, interface=self._interface(around.value["interface"]))

    # ---------------------------------------------------------------------------- parts of documents

    def _workflow_document(self, tree: Tree) -> Tree | None:
        if "workflows" not in tree.value:
            name = tree.value.get("name")
            if name is None or not name.is_text:
                self.problem(tree.line, "a workflow needs a name", "name: module.workflow")
                return None
            tree, own = self._split(tree, "workflow")
            workflows = Tree({name.value: own}, own.line)
            tree = _with(tree, workflows=workflows)
        entries = {"workflows": self._workflow, "tasks": self._task, "launch_plans": self._launch_plan}
        return _with(
            tree, **{field: self._entries(tree.value[field], expand) for field, expand in entries.items() if field in tree.value}
        )

    def _split(self, tree: Tree, kind: str) -> tuple[Tree, Tree]:
        """Split a document whose entity's fields are at the top; return the document's fields and the entity's fields."""
        around = {key: item for key, item in tree.value.items() if key in _AROUND[kind]}
        own = {key: item for key, item in tree.value.items() if key not in _AROUND[kind]}
        return Tree(around, tree.line, tree.keys), Tree(own, tree.line, tree.keys)

    def _entries(self, tree: Tree, expand: Callable[[Tree, str], Tree]) -> Tree:
        if not tree.is_map:
            return tree  # the models report the error
        return Tree({key: expand(self._map(item, repr(key)), key) for key, item in tree.value.items()}, tree.line, tree.keys)

    def _task(self, tree: Tree, key: str) -> Tree:
        tree = self._placed(self._named(_given(tree), key))
        loader = tree.value.get("loader")
        if "name" not in tree.value and loader is not None and loader.is_text:
            tree = _with(tree, name=Tree(loader.value.replace(":", "."), loader.line))
        if ":" in key and loader is None and "reference" not in tree.value:
            tree = _with(tree, reference=key)
        if "reference" in tree.value:
            tree = tree if "kind" in tree.value else _with(tree, kind="reference")
        if "container" in tree.value:
            known: dict[str, Any] = {"kind": "container", "interface": {}}
            tree = _with(tree, **{field: value for field, value in known.items() if field not in tree.value})
        if "interface" in tree.value:
            return _with(tree, interface=self._interface(tree.value["interface"]))
        if loader is None or not loader.is_text:
            self.problem(tree.line, "a task needs a loader, module:function, or an interface", None)
        else:
            self.incomplete.append(tree)
        return tree

    def _launch_plan(self, tree: Tree, key: str) -> Tree:
        tree = self._named(_given(tree), key)
        return _with(tree, interface=self._interface(tree.value["interface"])) if "interface" in tree.value else tree

    def _workflow(self, tree: Tree, key: str) -> Tree:
        tree = self._placed(self._named(_given(tree), key))
        changed = {"interface": self._interface(tree.value.get("interface") or Tree({}, tree.line))}
        if "nodes" in tree.value:
            changed["nodes"] = self._nodes(tree.value["nodes"])
        if "outputs" in tree.value:
            changed["outputs"] = self._bindings(tree.value["outputs"])
        if "on_failure" in tree.value:
            changed["on_failure"] = self._node(tree.value["on_failure"], "fn0")
        return _with(tree, **changed)

    def _named(self, tree: Tree, key: str) -> Tree:
        return tree if not key or "name" in tree.value else _with(tree, name=Tree(entry_name(key), tree.line))

    def _placed(self, tree: Tree) -> Tree:
        return tree if "location" in tree.value else _with(tree, location={"file": self._relative, "line": tree.line})

    def _map(self, tree: Tree, what: str) -> Tree:
        if tree.is_map:
            return tree
        self.problem(tree.line, f"{what} must be a map of its fields, not {tree.plain()!r:.80}")
        return Tree({}, tree.line)

    # ------------------------------------------------------------------------------------------ nodes

    def _nodes(self, tree: Tree) -> Tree:
        if not tree.is_list:
            return tree
        return Tree([self._node(item, f"n{index}") for index, item in enumerate(tree.value)], tree.line)

    def _node(self, tree: Tree, default: str) -> Tree:
        if not tree.is_map:
            hint = "- {id: n0, kind: task, target: module.task}"
            self.problem(tree.line, f"a node must be a map, not {tree.plain()!r:.80}", hint)
            return map_of(tree.line, id=default, kind="task")
        tree = _given(tree)
        fields = tree.value
        changed: dict[str, Any] = {"id": fields.get("id", default)}
        if "inputs" in fields:
            changed["inputs"] = self._bindings(fields["inputs"])
        if "after" in fields:
            changed["after"] = _several(fields["after"])
        if "map" in fields and fields["map"].is_map and "over" in fields["map"].value:
            changed["map"] = _with(fields["map"], over=_several(fields["map"].value["over"]))
        if "gate" in fields and fields["gate"].is_map and "type" in _given(fields["gate"]).value:
            changed["gate"] = _with(_given(fields["gate"]), type=self._type(fields["gate"].value["type"]))
        if "branch" in fields and fields["branch"].is_map:
            changed["branch"] = self._branch(fields["branch"])
        return self._placed(_with(tree, **changed))

    def _branch(self, tree: Tree) -> Tree:
        changed: dict[str, Any] = {}
        cases = tree.value.get("cases")
        if cases is not None and cases.is_list:
            changed["cases"] = Tree([self._case(case, index) for index, case in enumerate(cases.value)], cases.line)
        if "outputs" in tree.value:
            changed["outputs"] = self._variables(tree.value["outputs"])
        return _with(tree, **changed)

    def _case(self, tree: Tree, index: int) -> Tree:
        if not tree.is_map:
            return tree
        tree = _given(tree)
        changed: dict[str, Any] = {}
        if "condition" in tree.value:
            changed["condition"] = self._condition(tree.value["condition"])
        if "node" in tree.value:
            changed["node"] = self._node(tree.value["node"], f"n{index}")
        return _with(tree, **changed)

    def _condition(self, tree: Tree) -> Tree:
        if not tree.is_map:
            return tree
        fields, changed = tree.value, dict[str, Any]()
        if "terms" in fields and fields["terms"].is_list:
            changed["terms"] = Tree([self._condition(term) for term in fields["terms"].value], fields["terms"].line)
        if "operator" in fields:
            changed["kind"] = fields.get("kind", "comparison")
            operands = {side: self._binding(fields[side]) for side in ("left", "right") if side in fields}
            changed |= operands
            if "type" not in fields:
                # The type of a comparison of two outputs is unknown here; the models then require the field.
                constants = [item.value["value"].value for item in operands.values() if _is_constant(item)]
                kinds = {_CONSTANT_KINDS[type(value)] for value in constants if type(value) in _CONSTANT_KINDS}
                if len(kinds) == 1:
                    changed["type"] = kinds.pop()
        return _with(tree, **changed)

    # --------------------------------------------------------------------------------------- bindings

    def _bindings(self, tree: Tree) -> Tree:
        if not tree.is_map:
            return tree
        return Tree({name: self._binding(item) for name, item in tree.value.items()}, tree.line, tree.keys)

    def _binding(self, tree: Tree) -> Tree:
        """Return the binding that a value stands for."""
        if tree.is_text:
            try:
                reference = read_reference(tree.value)
            except InvalidText as error:
                self.problem(tree.line, str(error), error.hint)
                reference = None
            return map_of(tree.line, kind="literal", value=tree) if reference is None else tree_of(reference, tree.line)
        if tree.is_map and "kind" in tree.value:
            return self._whole_binding(tree)
        if not tree.is_map and not tree.is_list:
            return map_of(tree.line, kind="literal", value=tree)
        parts = self._bindings(tree) if tree.is_map else Tree([self._binding(item) for item in tree.value], tree.line)
        if all(_is_constant(part) for part in _items(parts)):
            constants = (
                {key: part.value["value"] for key, part in parts.value.items()}
                if parts.is_map
                else [part.value["value"] for part in parts.value]
            )
            return map_of(tree.line, kind="literal", value=Tree(constants, tree.line, tree.keys))
        return map_of(tree.line, kind="map", entries=parts) if tree.is_map else map_of(tree.line, kind="list", items=parts)

    def _whole_binding(self, tree: Tree) -> Tree:
        kind = tree.value["kind"].value
        if kind not in _BINDINGS:
            hint = "a constant that has a key 'kind' is written {kind: literal, value: {kind: …}}"
            self.problem(tree.keys.get("kind", tree.line), f"a binding of kind {kind!r} is not known", hint)
            return map_of(tree.line, kind="literal", value=None)
        if kind == "list" and "items" in tree.value and tree.value["items"].is_list:
            items = tree.value["items"]
            return _with(tree, items=Tree([self._binding(item) for item in items.value], items.line))
        return _with(tree, entries=self._bindings(tree.value["entries"])) if kind == "map" and "entries" in tree.value else tree

    # ------------------------------------------------------------------------------------- interfaces

    def _interface(self, tree: Tree) -> Tree:
        if not tree.is_map:
            return tree
        return _with(tree, **{side: self._variables(tree.value[side]) for side in ("inputs", "outputs") if side in tree.value})

    def _variables(self, tree: Tree) -> Tree:
        """Return the list of variables of ``name: type`` and ``name: {type: …, default: …}``; a list stays a list."""
        if tree.is_list:
            return Tree([self._variable(item) for item in tree.value], tree.line)
        if not tree.is_map:
            return tree
        variables: list[Tree] = []
        for name, item in tree.value.items():
            line = tree.keys.get(name) or item.line
            whole = item if item.is_map and "kind" not in item.value else Tree({"type": item}, line)
            variables.append(self._variable(_with(Tree(whole.value, line, whole.keys), name=name)))
        return Tree(variables, tree.line)

    def _variable(self, tree: Tree) -> Tree:
        if not tree.is_map:
            return tree
        changed: dict[str, Any] = {}
        if "type" in tree.value:
            changed["type"] = self._type(tree.value["type"])
        if "default" in tree.value and "required" not in tree.value:
            changed["required"] = False
        return _with(tree, **changed)

    def _type(self, tree: Tree) -> Tree:
        """Return the complete form of a type, which may be a text or contain texts."""
        if tree.value is None:
            return map_of(tree.line, kind="none")
        if tree.is_text:
            try:
                return tree_of(read_type(tree.value), tree.line)
            except InvalidText as error:
                self.problem(tree.line, str(error), error.hint)
                return map_of(tree.line, kind="any")
        if not tree.is_map:
            return tree
        changed: dict[str, Any] = {part: self._type(tree.value[part]) for part in ("item", "key", "value") if part in tree.value}
        for part in ("items", "variants"):
            if part in tree.value and tree.value[part].is_list:
                changed[part] = Tree([self._type(item) for item in tree.value[part].value], tree.value[part].line)
        if "fields" in tree.value:
            changed["fields"] = self._variables(tree.value["fields"])
        return _with(tree, **changed)


def _with(tree: Tree, **items: Any) -> Tree:
    """Return the map with other items, which keep the lines of their keys."""
    changed = {key: tree_of(item, tree.keys.get(key, tree.line)) for key, item in items.items()}
    return Tree({**tree.value, **changed}, tree.line, tree.keys)


def _given(tree: Tree) -> Tree:
    """Return the map without nulls: fields that may be null are null by default."""
    return Tree({key: item for key, item in tree.value.items() if item.value is not None}, tree.line, tree.keys)


def _several(tree: Tree) -> Tree:
    return Tree([tree], tree.line) if tree.is_text else tree


def _items(tree: Tree) -> Iterator[Tree]:
    yield from tree.value.values() if tree.is_map else tree.value


def _is_constant(tree: Tree) -> bool:
    return tree.is_map and "value" in tree.value and "kind" in tree.value and tree.value["kind"].value == "literal"
