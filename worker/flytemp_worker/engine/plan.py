"""Plans: specs reduced to what the engine needs, read from plain JSON without pydantic.

`flytemp.spec.plan` describes the JSON and writes it; it reaches the workflow as results of activities.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from flytemp.spec.bindings import Binding, nodes_in

Condition: TypeAlias = list[Any]


class NodePlan:
    """One node of a graph.

    ``local`` is its id within its graph, through the branches around it: ``n2.n0``. ``needs`` is the number of nodes that it
    depends on; ``feeds`` has the indexes of those that depend on it. ``pool`` is where its task is sent; "" for the default.
    ``data`` is the node's JSON, from which a handler reads the fields that only its kind has.
    """

    __slots__ = (
        "backoff", "branch", "data", "deadline", "feeds", "gate", "id", "index", "inputs", "kind", "launch_plan", "local", "map",
        "name", "needs", "pool", "queued", "retries", "target",
    )  # fmt: skip

    def __init__(self, index: int, data: dict[str, Any], graph: GraphPlan, within: str = "") -> None:
        self.index = index
        self.data = data
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
        self.pool: str = data.get("pool") or ""
        self.gate: dict[str, Any] | None = data.get("gate")
        self.launch_plan: dict[str, Any] | None = data.get("plan")
        self.branch = BranchPlan(data["branch"], graph, f"{self.local}.") if "branch" in data else None
        self.map = MapPlan(data["map"], graph, self) if "map" in data else None
        self.needs = len(data.get("needs", ()))
        self.feeds: list[int] = []


class GraphPlan:
    """A workflow, or the graph in a node: the cases of a branch, the calls of a map.

    ``source`` is the reference of the dynamic node whose document the graph is in; "" for the execution's own document.
    ``exported`` has the indexes of the nodes that the graph's outputs are taken from.
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
        failure_node = data.get("on_failure")
        self.on_failure = NodePlan(len(self.nodes), failure_node, self) if failure_node else None
        for index, node in enumerate(data["nodes"]):
            for needed in node.get("needs", ()):
                self.nodes[needed].feeds.append(index)

    @property
    def is_structured(self) -> bool:
        """True if there is more in the graph than tasks and sub-workflows."""
        if self.on_failure is not None or self.timeout is not None:
            return True
        return any(node.kind not in ("task", "workflow") or node.deadline is not None for node in self.nodes)


class Case(NamedTuple):
    """A case of a branch: ``node`` is the index of the node that it runs; without one, it fails with ``failure``."""

    condition: Condition | None
    node: int | None
    failure: str | None


class BranchPlan:
    __slots__ = ("cases", "graph")

    def __init__(self, data: dict[str, Any], graph: GraphPlan, within: str) -> None:
        self.cases = [Case(*case) for case in data["cases"]]
        self.graph = GraphPlan(graph.name, {"nodes": data["nodes"]}, graph.source, within)


class MapPlan:
    """``item`` is the node that each call is; ``outputs`` has the name of its output, if there is one.

    ``concurrency`` is the number of calls that may be open at once, 0 for all; ``group`` that of calls that share a try.
    """

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

    def max_failures(self, items: int) -> int:
        """Return how many of ``items`` calls may fail."""
        by_ratio = -int(-self.min_ratio * items // 1)
        return items - min(items, max(by_ratio, self.min_successes or 0))


class Plan:
    """All graphs of an execution.

    ``root`` is the graph that is launched; ``roots`` has the graphs that dynamic nodes made, by their references.
    ``structured`` is True if the states of the nodes cannot be read from the activities in a history alone.
    """

    __slots__ = ("graphs", "root", "roots", "structured")

    def __init__(self, data: dict[str, Any], source: str = "") -> None:
        self.graphs: dict[tuple[str, str], GraphPlan] = {}
        self.roots: dict[str, GraphPlan] = {}
        self.structured = False
        self.add(data, source)
        self.root = self.roots[source]

    def add(self, data: dict[str, Any], source: str = "") -> None:
        """Add the graphs of a document."""
        for name, graph in data["graphs"].items():
            plan = GraphPlan(name, graph, source)
            self.graphs[source, name] = plan
            self.structured = self.structured or bool(source) or plan.is_structured
        self.roots[source] = self.graph(source, data["root"])

    def graph(self, source: str, name: str) -> GraphPlan:
        """Return a graph by its document and its name there."""
        return self.graphs[source, name]
