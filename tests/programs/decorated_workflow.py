"""A workflow with a set-up task before and a tear-down task after everything else, by a decorator."""
from functools import partial, wraps
from unittest.mock import MagicMock

import flytemp
from flytemp import FlyteContextManager, task, workflow
from flytemp.core.node_creation import create_node

external_service = MagicMock()


@task
def setup():
    print("initializing external service")
    external_service.initialize(id=flytemp.current_context().execution_id)


@task
def teardown():
    print("finish external service")
    external_service.complete(id=flytemp.current_context().execution_id)


def setup_teardown(fn=None, *, before, after):
    @wraps(fn)
    def wrapper(*args, **kwargs):
        ctx = FlyteContextManager.current_context()
        before_node = create_node(before)
        outputs = fn(*args, **kwargs)
        after_node = create_node(after)
        if ctx.compilation_state is not None:
            workflow_node0 = ctx.compilation_state.nodes[1]
            workflow_node1 = ctx.compilation_state.nodes[-2]
            before_node >> workflow_node0
            workflow_node1 >> after_node
        return outputs

    if fn is None:
        return partial(setup_teardown, before=before, after=after)

    return wrapper


@task
def t1(x: float) -> float:
    return x - 1


@task
def t2(x: float) -> float:
    return x**2


@workflow
@setup_teardown(before=setup, after=teardown)
def decorating_workflow_wf(x: float) -> float:
    return t2(x=t1(x=x))


if __name__ == "__main__":
    print(decorating_workflow_wf(x=19.8))
