"""Launch plans that are called from workflows: executions of their own."""

from flytemp import LaunchPlan, create_node, task, workflow


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def my_wf(a: int, b: int = 10) -> int:
    return add(a=a, b=b)


default_lp = LaunchPlan.get_or_create(my_wf)
fixed_lp = LaunchPlan.get_or_create(my_wf, "child_fixed", default_inputs={"a": 3}, fixed_inputs={"b": 4})


@workflow
def parent_wf(x: int) -> int:
    first = fixed_lp(a=x).with_overrides(node_name="first")
    second = create_node(default_lp, a=first)
    third = LaunchPlan.get_or_create(my_wf, "child_inline", default_inputs={"b": 100})(a=second.o0)
    return add(a=third, b=fixed_lp())


if __name__ == "__main__":
    print(parent_wf(x=1))
