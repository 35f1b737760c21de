"""A plan: a spec reduced to what the engine needs, read from plain JSON without pydantic.

The JSON is written by `flytemp.spec.plan` (there is its description) and reaches the workflow as activity results.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = Any
Binding: TypeAlias = dict[str, Any]


class NodePlan:
    """One node of a graph. ``needs`` counts the nodes it waits for; ``feeds`` lists the indexes that wait for it."""

    __slots__ = ("backoff", "feeds", "id", "index", "inputs", "kind", "name", "needs", "retries", "target")

    def __init__(self, index: int, data: dict[str, Any]) -> None:
        self.index = index
        self.id: str = data["id"]
        self.kind: str = data["kind"]
        self.target: str = data["target"]
        self.name: str = data.get("name") or data["target"].rpartition(".")[2]
        self.inputs: dict[str, Binding] = data.get("in", {})
        self.retries: int = data.get("retries", 0)
        self.backoff: list[Any] = data.get("backoff", [1.0, 2.0, 60.0, True])
        self.needs = len(data.get("needs", ()))
        self.feeds: list[int] = []


class GraphPlan:
    """A workflow or sub-workflow."""

    __slots__ = ("fail_immediately", "name", "nodes", "outputs")

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.fail_immediately: bool = data.get("policy", "fail-immediately") == "fail-immediately"
        self.nodes = [NodePlan(index, node) for index, node in enumerate(data["nodes"])]
        self.outputs: dict[str, Binding] = data.get("out", {})
        for index, node in enumerate(data["nodes"]):
            for needed in node.get("needs", ()):
                self.nodes[needed].feeds.append(index)


class Plan:
    """All graphs of an execution; ``root`` is the one that is launched."""

    __slots__ = ("graphs", "root")

    def __init__(self, data: dict[str, Any]) -> None:
        self.graphs = {name: GraphPlan(name, graph) for name, graph in data["graphs"].items()}
        self.root = self.graphs[data["root"]]
