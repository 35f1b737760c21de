"""What can be wrong with conditionals, maps, dynamics, gates, child launch plans and failure handlers."""

from __future__ import annotations

CASES: dict[str, tuple[str, list[str]]] = {
    "conditionals": (
        """
        @workflow
        def half(x: int) -> int:
            return conditional("c").if_(x > 1).then(number(x=x))  # BAD

        @workflow
        def bare(x: bool) -> int:
            return conditional("c").if_(x).then(number()).else_().then(number())  # BAD

        @workflow
        def both(x: int) -> int:
            if (x > 1) and (x < 3):  # BAD
                return number()
            return number()

        @workflow
        def in_case(x: int) -> int:
            return (
                conditional("c")
                .if_(x > 1)
                .then(number(x=1))
                .else_()
                .then(number(x=text(s="a")))  # BAD
            )

        @workflow
        def no_output(x: int) -> int:  # BAD
            return conditional("c").if_(x > 1).then(number(x="one")).else_().then(nothing())  # BAD
        """,
        [
            r"conditional 'c': A Conditional block should always end with an `else_\(\)` clause",
            r"does not support unary expressions",
            r"neither true nor false.*Logical \(and/or/is/not\) operations are not supported",
            r"a case makes one call, and this one makes node n0 \(task bad\.text\) as well",
            r"declares outputs and returns nothing",
            r"Variable 'x' of node n0\.n0 \(task bad\.number\)",
        ],
    ),
    "maps": (
        """
        @workflow
        def lengths() -> list[int]:
            return map_task(add)(a=[1, 2], b=[1])  # BAD

        @workflow
        def types() -> list[str]:
            return map_task(text)(s=[1])  # BAD

        @workflow
        def several() -> list[int]:
            return map_task(pair)(x=[1])  # BAD

        @task
        def add(a: int, b: int) -> int:
            return a + b
        """,
        [
            r"the mapped lists have different lengths: a 2, b 1",
            r"Variable 's' of node n0 \(map of task bad\.text\)",
            r"several outputs",
        ],
    ),
    "dynamics": (
        """
        @workflow
        def wf() -> int:
            return made(x="one")  # BAD

        @dynamic
        def made(x: int) -> int:
            return number(x=x)

        @dynamic
        def untyped(x) -> int:  # BAD
            return number(x=x)
        """,
        [r"Variable 'x' of node n0 \(dynamic bad\.made\)", r"'x' has no type"],
    ),
    "child launch plans": (
        """
        @workflow
        def child(x: int, y: int = 1) -> int:
            return number(x=x)

        @workflow
        def fixed() -> int:
            return LaunchPlan.get_or_create(child, "fixed_one", fixed_inputs={"x": 1})(x=2)  # BAD

        @workflow
        def broken() -> int:
            return LaunchPlan.get_or_create(child, "broken_one", default_inputs={"z": 1})(x=2)  # BAD
        """,
        [r"input 'x' of launch plan 'fixed_one' is fixed", r"launch plan 'broken_one': invalid input z"],
    ),
    "failure handlers": (
        """
        @workflow(on_failure=text)
        def wf(x: int) -> int:  # BAD
            return number(x="a")  # BAD
        """,
        [r"Mismatched Inputs Detected: the failure node 'bad\.text'", r"Variable 'x' of node n0 \(task bad\.number\)"],
    ),
    "gates": (
        """
        @workflow
        def wf(x: int) -> int:
            approve(nothing(), "ok", timeout=1)  # BAD
            return number(x=x)

        @workflow
        def other(x: int) -> int:
            return number(x=wait_for_input("n", timeout=1, expected_type=str))  # BAD
        """,
        [r"You can't use approval on a task that doesn't return anything", r"cannot use str where int is expected"],
    ),
}
