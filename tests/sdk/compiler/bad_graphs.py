"""Programs with mistakes in the functions of workflows."""

from __future__ import annotations

# Each program marks its bad lines with "# BAD". `tests/messages/programs.txt` has the messages of all programs.
CASES: dict[str, str] = {
    "wrong type of a constant": """
        @workflow
        def wf() -> int:
            return number(x="abc")  # BAD
        """,
    "wrong type of a promise": """
        @workflow
        def wf() -> str:
            return text(s=number())  # BAD
        """,
    "wrong type of an item": """
        @task
        def total(values: list[int], names: dict[str, str]) -> int:
            return sum(values)

        @workflow
        def wf(s: str) -> int:
            return total(values=[number(), s], names={})  # BAD
        """,
    "wrong type of an output": """
        @workflow
        def wf(x: int) -> str:  # BAD
            return number(x=x)
        """,
    "unknown input": """
        @workflow
        def wf() -> int:
            return number(y=1)  # BAD
        """,
    "too many arguments": """
        @workflow
        def wf() -> int:
            return number(1, 2)  # BAD
        """,
    "an argument twice": """
        @workflow
        def wf() -> int:
            return number(1, x=2)  # BAD
        """,
    "missing input": """
        @workflow
        def wf() -> str:
            return text()  # BAD
        """,
    "everything at once": """
        @workflow
        def one() -> str:
            first = text(s=1)  # BAD
            return text(s=2)  # BAD

        @workflow
        def two() -> int:
            return number(z=1)  # BAD

        @task
        def untyped(x) -> int:  # BAD
            return x
        """,
    "duplicate node ids": """
        @workflow
        def wf() -> int:
            number(x=1).with_overrides(node_name="same")
            return number(x=2).with_overrides(node_name="Same")  # BAD
        """,
    "a cycle": """
        @workflow
        def wf():
            a = nothing()  # BAD
            b = nothing()
            a >> b
            b >> a
        """,
    "a workflow that calls itself": """
        @workflow
        def wf() -> int:  # BAD
            return other()

        @workflow
        def other() -> int:
            return wf()
        """,
    "a condition": """
        @workflow
        def wf(x: int) -> int:
            value = number(x=x)
            if value > 3:  # BAD
                return value
            return number(x=1)
        """,
    "a truth value": """
        @workflow
        def wf(x: int) -> int:
            return number(x=x) or 3  # BAD
        """,
    "a loop": """
        @workflow
        def wf(xs: list[int]) -> int:
            for x in xs:  # BAD
                number(x=x)
            return number()
        """,
    "arithmetic": """
        @workflow
        def wf(x: int) -> int:
            return 1 + number(x=x)  # BAD
        """,
    "an f-string": """
        @workflow
        def wf(x: int) -> str:
            return text(s=f"number {number(x=x)}")  # BAD
        """,
    "int()": """
        @workflow
        def wf(x: int) -> int:
            return number(x=int(x))  # BAD
        """,
    "len()": """
        @workflow
        def wf(xs: list[int]) -> int:
            return number(x=len(xs))  # BAD
        """,
    "in": """
        @workflow
        def wf(xs: list[int]) -> int:
            return number(x=1 if 3 in xs else 2)  # BAD
        """,
    "a result that is not there": """
        @workflow
        def wf() -> int:
            return number(x=nothing())  # BAD
        """,
    "an output that is not there": """
        @workflow
        def wf() -> int:
            return pair().o2  # BAD
        """,
    "a field that is not there": """
        @dataclass
        class Point:
            x: int

        @task
        def point() -> Point:
            return Point(1)

        @workflow
        def wf() -> int:
            return number(x=point().y)  # BAD
        """,
    "a promise inside an object": """
        @dataclass
        class Point:
            x: int

        @task
        def show(point: Point) -> int:
            return point.x

        @workflow
        def wf() -> int:
            return show(point=Point(x=number()))  # BAD
        """,
    "a promise of another workflow": """
        kept = []

        @workflow
        def a_first() -> int:
            kept.append(number())
            return kept[0]

        @workflow
        def b_second() -> int:
            return number(x=kept[0])  # BAD
        """,
    "an exception in a workflow": """
        def compute():
            return 1 / 0  # BAD

        @workflow
        def wf() -> int:
            compute()
            return number()
        """,
    "returns nothing": """
        @workflow
        def wf() -> int:  # BAD
            number()
        """,
    "returns too little": """
        @workflow
        def wf() -> tuple[int, int]:  # BAD
            return number()
        """,
}
