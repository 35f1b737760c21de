"""Order without data: >>, runs_before and create_node."""
from flytemp import task, workflow
from flytemp.core.node_creation import create_node

RAN = []


@task
def t2():
    RAN.append("t2")
    return


@task
def t1():
    RAN.append("t1")
    return


@task
def t0():
    RAN.append("t0")
    return


@task
def read() -> str:
    return "what t0 wrote"


@task
def shout(text: str, times: int = 1) -> str:
    return text.upper() * times


@workflow
def chain_tasks_wf():
    t2_promise = t2()
    t1_promise = t1()
    t0_promise = t0()

    t0_promise >> t1_promise
    t1_promise >> t2_promise


@workflow
def one_line_wf():
    third, second, first = t2(), t1(), t0()
    first >> second >> third


@workflow
def sub_workflow_1():
    t1()


@workflow
def sub_workflow_0():
    t0()


@workflow
def chain_workflows_wf():
    sub_wf1 = sub_workflow_1()
    sub_wf0 = sub_workflow_0()

    sub_wf0 >> sub_wf1


@workflow
def nodes_wf() -> str:
    read_node = create_node(read)
    write_node = create_node(t0)
    write_node >> read_node
    loud = create_node(shout, text=read_node.o0, times=2)
    last = create_node(t2)
    loud.runs_before(last)
    return loud.o0


if __name__ == "__main__":
    print(f"Running nodes_wf() {nodes_wf()}")
