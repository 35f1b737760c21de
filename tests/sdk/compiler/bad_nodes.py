"""Programs with mistakes in conditionals, maps, dynamic tasks, gates, child launch plans and failure handlers."""

from __future__ import annotations

CASES: dict[str, str] = {
    "conditionals": """
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
    "maps": """
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
    "dynamics": """
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
    "child launch plans": """
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
    "failure handlers": """
        @workflow(on_failure=text)
        def wf(x: int) -> int:  # BAD
            return number(x="a")  # BAD
        """,
    "gates": """
        @workflow
        def wf(x: int) -> int:
            approve(nothing(), "ok", timeout=1)  # BAD
            return number(x=x)

        @workflow
        def other(x: int) -> int:
            return number(x=wait_for_input("n", timeout=1, expected_type=str))  # BAD
        """,
}
