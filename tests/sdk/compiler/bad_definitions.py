"""Programs with mistakes in definitions of tasks, launch plans and modules."""

from __future__ import annotations

# Each program marks its bad lines with "# BAD". `tests/messages/programs.txt` has the messages of all programs.
CASES: dict[str, str] = {
    "two tasks of one name": """
        @task
        def twice() -> int:
            return 1

        first = twice

        @task
        def twice() -> int:  # BAD
            return 2
        """,
    "call of a task that another one replaces": """
        @task
        def twice(n: int) -> int:  # BAD
            return n

        all_twice = map_task(twice)

        @task
        def twice(n: int) -> int:
            return 2 * n

        @workflow
        def wf() -> list[int]:
            return all_twice(n=[1])
        """,
    "two launch plans of one name": """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("plan", wf)
        LaunchPlan.create("plan", wf, default_inputs={"x": 2})  # BAD
        """,
    "one launch plan with two values": """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 1})
        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 2})  # BAD
        """,
    "a launch plan of a workflow's name": """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("bad.wf", wf, default_inputs={"x": 2})  # BAD
        """,
    "inputs of a launch plan": """
        @workflow
        def wf(x: int = 1, y: int = 2) -> int:
            return number(x=x)

        LaunchPlan.create("unknown", wf, default_inputs={"z": 2})  # BAD
        LaunchPlan.create("both", wf, default_inputs={"x": 2}, fixed_inputs={"x": 3})  # BAD
        LaunchPlan.create("wrong", wf, fixed_inputs={"y": "two"})  # BAD
        LaunchPlan.create("../../etc", wf)  # BAD
        """,
    "an async workflow": """
        @workflow
        async def wf() -> int:  # BAD
            return number()
        """,
    "a tuple of one": """
        @task
        def one() -> tuple[int]:  # BAD
            return (1,)
        """,
    "variable arguments": """
        @task
        def many(*values: int) -> int:  # BAD
            return 1
        """,
    "an annotation that does not exist": """
        @task
        def lost(x: "Nowhere") -> int:  # BAD
            return 1
        """,
    "an unsupported annotation": """
        @task
        def strange(x: complex) -> int:  # BAD
            return 1
        """,
    "a default that does not fit": """
        @task
        def wrong(x: int = "one") -> int:  # BAD
            return 1
        """,
    "a task that no process can find": """
        def impl() -> int:  # BAD
            return 1

        tasks = {"impl": task(impl)}

        @workflow
        def wf() -> int:
            return tasks["impl"]()
        """,
    "a nested task": """
        def make():
            @task
            def inner() -> int:  # BAD
                return 1
            return inner

        inner = make()
        """,
    "an unknown argument of task": """
        @task(foo=1)  # BAD
        def t() -> int:
            return 1
        """,
    "resources": """
        @task(requests=Resources(cpu="2", mem="1Gi"), limits=Resources(cpu="500m", mem="1.5G"))
        def t() -> int:  # BAD
            return 1

        @task(resources=Resources(gpu=(1, 2)))
        def g() -> int:  # BAD
            return 1

        @workflow
        def wf() -> int:
            return number().with_overrides(resources=Resources(mem=("1Gi", "100Mi")))  # BAD
        """,
    "an ignored input of a cache": """
        @task(cache=Cache(version="1", ignored_inputs="y"))
        def t(x: int) -> int:  # BAD
            return 1
        """,
    "a 3 MB literal": """
        @workflow
        def wf() -> str:
            return text(s="a" * 3_000_000)  # BAD
        """,
    "overrides": """
        @workflow
        def unknown() -> int:
            return number().with_overrides(foo=1)  # BAD

        @workflow
        def promised(x: int) -> int:
            return number().with_overrides(retries=x)  # BAD

        @workflow
        def timeout() -> int:
            return number().with_overrides(timeout="1h")  # BAD

        @workflow
        def cached() -> int:
            return number().with_overrides(cache=True)  # BAD

        @workflow
        def sub() -> int:
            return unknown().with_overrides(retries=3)  # BAD
        """,
    "what this version does not have": """
        @eager
        async def dyn(x: int) -> int:  # BAD
            return x
        """,
    "a schedule": """
        @workflow
        def wf() -> int:
            return number()

        LaunchPlan.get_or_create(wf, "nightly", schedule=CronSchedule(schedule="0 1 * * *"))  # BAD
        """,
    "a module that fails": """
        import does_not_exist  # BAD
        """,
    "a module that ends the process": """
        raise SystemExit(3)  # BAD
        """,
    "a syntax error": """
        def broken(:  # BAD
            pass
        """,
    "no entity at all": "pass\n",
}
