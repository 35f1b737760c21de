"""A task downloads from a loopback address only if its invocation allows it."""

from __future__ import annotations

from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.store.object_store import ObjectStore
from flytemp.store.web_addresses import refusal
from tests.sdk.runtime.project import Project

PROGRAM = """
    from flytemp import task
    from flytemp.store.web_addresses import refusal

    @task
    def refused() -> bool:
        return refusal("127.0.0.1") is not None
"""


def test_invocation_decides_about_loopback_addresses(project: Project, store: ObjectStore, options: ExecutionOptions) -> None:
    project.write(PROGRAM)
    for node, allowed in (("n0", False), ("n1", True)):
        invocation = project.invocation("refused", node=node, allows_loopback=allowed)
        result = execute(invocation, store, owner="w1", options=options)
        assert result is not None
        assert result.outputs == {"o0": not allowed}
    assert refusal("127.0.0.1") is None
