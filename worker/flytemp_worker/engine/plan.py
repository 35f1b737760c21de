"""A plan: a spec reduced to what the engine needs, read from plain JSON without pydantic.

The JSON is written by `flytemp.spec.plan` (there is its description) and reaches the workflow as activity results.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from flytemp.spec.bindings import Binding, nodes_in

Json: TypeAlias = Any
Condition: TypeAlias = list[Any]

OUTPUT = "o0"
"""The name of an output that the user did not name."""


class NodePlan:
    """One node of a graph. ``needs`` counts the nodes it waits for; ``feeds`` lists the indexes that wait for it.

    ``local`` is its id within its graph, through the branches around it: ``n2.n0``.
    """

    __slots__ = (
        "backoff", "branch", "deadline", "feeds", "gate", "id", "index", "inputs", "kind", "launch_plan", "local", "map",
        "name", "needs", "queued", "retries", "seconds", "target",
    )  # fmt: skip

    def __init__(self, index: int, data: dict[str, Any], graph: GraphPlan, within: str = "") -> None:
        self.index = index
        self.id: str = data["id"]
        self.local = f"{within}{self.id}"
        self.kind: str = data["kind"]
        self.target: str = data["target"]
        self.name: str = data.get("name") or data["target"].rpartition(".")[2]
        self.inputs: dict[str, Binding] = data.get("in", {})
        self.retries: int = data.get("retries", 0)
        self.backoff: list[Any] = data.get("backoff", [1.0, 2.0, 60.0, True])
        self.deadline: float | None = data.get("deadline")
        self.queued: float | None = data.get("queued")
        self.seconds: float = data.get("seconds", 0.0)
        self.gate: dict[str, Any] | None = data.get("gate")
        self.launch_plan: dict[str, Any] | None = data.get("plan")
        self.branch = BranchPlan(data["branch"], graph, f"{self.local}.") if "branch" in data else None
        self.map = MapPlan(data["map"], graph, self) if "map" in data else None
        self.needs = len(data.get("needs", ()))
        self.feeds: list[int] = []


class GraphPlan:
    """A workflow or sub-workflow, or what lives in one of its nodes: the cases of a branch, the calls of a map.

    ``source`` says whose document its tasks are in: "" for the execution's own, else the dynamic that made it
    (``<node path>/<attempt>``). ``exported`` are the indexes of the nodes that its outputs take from.
    """

    __slots__ = ("exported", "fail_immediately", "name", "nodes", "on_failure", "outputs", "source", "timeout")

    def __init__(self, name: str, data: dict[str, Any], source: str = "", within: str = "") -> None:
        self.name = name
        self.source = source
        self.fail_immediately: bool = data.get("policy", "fail-immediately") == "fail-immediately"
        self.nodes = [NodePlan(index, node, self, within) for index, node in enumerate(data["nodes"])]
        self.outputs: dict[str, Binding] = data.get("out", {})
        self.exported = {index for binding in self.outputs.values() for index in nodes_in(binding)}
        self.timeout: float | None = data.get("timeout")
        handler = data.get("on_failure")
        self.on_failure = NodePlan(len(self.nodes), handler, self) if handler else None
        for index, node in enumerate(data["nodes"]):
            for needed in node.get("needs", ()):
                self.nodes[needed].feeds.append(index)


class BranchPlan:
    """``cases`` are [condition or None, index of a node or None, message of a failure or None], in their order."""

    __slots__ = ("cases", "graph")

    def __init__(self, data: dict[str, Any], graph: GraphPlan, within: str) -> None:
        self.cases: list[tuple[Condition | None, int | None, str | None]] = [tuple(case) for case in data["cases"]]
        self.graph = GraphPlan(graph.name, {"nodes": data["nodes"]}, graph.source, within)


class MapPlan:
    """``item`` is the node that each call is; ``outputs`` are the names of its outputs, of which there is one at most."""

    __slots__ = (
        "concurrency", "graph", "group", "inputs", "item", "min_ratio", "min_successes", "outputs", "over", "run_all",
    )  # fmt: skip

    def __init__(self, data: dict[str, Any], graph: GraphPlan, node: NodePlan) -> None:
        self.inputs = list(node.inputs)
        self.over: list[str] = data["over"]
        self.outputs: list[str] = data["outputs"]
        self.concurrency: int = data.get("concurrency") or 0
        self.min_successes: int | None = data.get("min_successes")
        self.min_ratio: float = data.get("min_ratio", 1.0)
        self.group: int = data.get("group", 1)
        self.run_all: bool = data.get("run_all", False)
        self.graph = GraphPlan(graph.name, {"nodes": []}, graph.source)
        self.item = NodePlan(0, {**data["item"], "id": node.id}, graph)
        self.item.local = node.local

    def needed(self, items: int) -> int:
        """How many of ``items`` calls must succeed."""
        by_ratio = -int(-self.min_ratio * items // 1)
        return min(items, max(by_ratio, self.min_successes or 0))


class Plan:
    """All graphs of an execution; ``root`` is the one that is launched. ``source`` is as for `add`."""

    __slots__ = ("graphs", "root", "structured")

    def __init__(self, data: dict[str, Any], source: str = "") -> None:
        self.graphs: dict[str, GraphPlan] = {}
        self.structured = False
        self.root = self.add(data, source)

    def add(self, data: dict[str, Any], source: str = "") -> GraphPlan:
        """Take in the graphs of a document; the one that it is about.

        ``structured`` becomes true when there is more in them than tasks and sub-workflows: then history alone does not
        tell where the nodes stand.
        """
        for name, graph in data["graphs"].items():
            plan = GraphPlan(name, graph, source)
            self.graphs[graph_key(source, name)] = plan
            self.structured = self.structured or bool(source) or _is_structured(plan)
        return self.graphs[graph_key(source, data["root"])]

    def graph(self, source: str, name: str) -> GraphPlan:
        """A graph by the document it is in, and its name there."""
        return self.graphs[graph_key(source, name)]


def graph_key(source: str, name: str) -> str:
    """Dynamics may make graphs of the same name: each is kept with its own."""
    return f"{source}:{name}" if source else name


def _is_structured(plan: GraphPlan) -> bool:
    if plan.on_failure is not None or plan.timeout is not None:
        return True
    return any(node.kind not in ("task", "workflow") or node.deadline is not None for node in plan.nodes)
