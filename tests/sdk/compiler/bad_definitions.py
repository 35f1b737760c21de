"""What can be wrong with tasks, launch plans and modules."""

from __future__ import annotations

# Each program marks its bad lines with "# BAD"; the messages are those of these lines, in their order.
CASES: dict[str, tuple[str, list[str]]] = {
    "two tasks of one name": (
        """
        @task
        def twice() -> int:
            return 1

        @task
        def twice() -> int:  # BAD
            return 2
        """,
        [r"two entities are named 'bad\.twice': this task and the task at .*bad\.py:\d+"],
    ),
    "two launch plans of one name": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("plan", wf)
        LaunchPlan.create("plan", wf, default_inputs={"x": 2})  # BAD
        """,
        [r"Launch plan named plan was already created! Make sure your names are unique\."],
    ),
    "one launch plan with two values": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 1})
        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 2})  # BAD
        """,
        [r"two launch plans for workflow 'bad\.wf' both named 'plan' but with different values for 'default_inputs'"],
    ),
    "a launch plan of a workflow's name": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("bad.wf", wf, default_inputs={"x": 2})  # BAD
        """,
        [r"two launch plans are named 'bad\.wf'"],
    ),
    "inputs of a launch plan": (
        """
        @workflow
        def wf(x: int = 1, y: int = 2) -> int:
            return number(x=x)

        LaunchPlan.create("unknown", wf, default_inputs={"z": 2})  # BAD
        LaunchPlan.create("both", wf, default_inputs={"x": 2}, fixed_inputs={"x": 3})  # BAD
        LaunchPlan.create("wrong", wf, fixed_inputs={"y": "two"})  # BAD
        LaunchPlan.create("../../etc", wf)  # BAD
        """,
        [
            r"launch plan 'unknown': invalid input z",
            r"launch plan 'both': input x is both a default and a fixed input",
            r"launch plan 'wrong': .*argument 'y'.*'two'",
            r"'\.\./\.\./etc' cannot be an entity's name",
        ],
    ),
    "an async workflow": (
        """
        @workflow
        async def wf() -> int:  # BAD
            return number()
        """,
        [r"workflow 'bad\.wf' is async"],
    ),
    "a tuple of one": (
        """
        @task
        def one() -> tuple[int]:  # BAD
            return (1,)
        """,
        [r"task 'bad\.one': a tuple of one item is no set of outputs"],
    ),
    "variable arguments": (
        """
        @task
        def many(*values: int) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.many': '\*values: int' cannot be an input"],
    ),
    "an annotation that does not exist": (
        """
        @task
        def lost(x: "Nowhere") -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.lost': its annotations cannot be read: NameError: name 'Nowhere' is not defined"],
    ),
    "an unsupported annotation": (
        """
        @task
        def strange(x: complex) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.strange': input 'x': .*complex"],
    ),
    "a default that does not fit": (
        """
        @task
        def wrong(x: int = "one") -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.wrong': the default of input 'x' does not fit: .*'one'"],
    ),
    "a task that no process can find": (
        """
        def impl() -> int:  # BAD
            return 1

        tasks = {"impl": task(impl)}

        @workflow
        def wf() -> int:
            return tasks["impl"]()
        """,
        [r"task 'bad\.impl' is not a variable of its module"],
    ),
    "a nested task": (
        """
        def make():
            @task
            def inner() -> int:  # BAD
                return 1
            return inner

        inner = make()
        """,
        [r"the task function inner is defined inside another function"],
    ),
    "an unknown argument of task": (
        """
        @task(foo=1)  # BAD
        def t() -> int:
            return 1
        """,
        [r"Unrecognized argument\(s\) for task: dict_keys\(\['foo'\]\)"],
    ),
    "resources": (
        """
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
        [
            r"task 'bad\.t': it requests 2 of cpu and is limited to 500m",
            r"task 'bad\.g': it requests 1 of gpu and is limited to 2",
            r"node n0 \(task bad\.number\): it requests 1Gi of memory and is limited to 100Mi",
        ],
    ),
    "an ignored input of a cache": (
        """
        @task(cache=Cache(version="1", ignored_inputs="y"))
        def t(x: int) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.t': its cache ignores 'y', which is no input"],
    ),
    "a 3 MB literal": (
        """
        @workflow
        def wf() -> str:
            return text(s="a" * 3_000_000)  # BAD
        """,
        [r"Variable 's' of node n0 \(task bad\.text\): the value of 's' measures 2\.9 MiB"],
    ),
    "overrides": (
        """
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
        [
            r"with_overrides has no 'foo'",
            r"with_overrides\(retries=…\) is given a value that does not exist yet",
            r"timeout must be a number of seconds or a datetime\.timedelta",
            r"must specify cache version when overriding",
            r"node n0 \(workflow bad\.unknown\): retries of a sub-workflow cannot be overridden",
        ],
    ),
    "what this version does not have": (
        """
        @eager
        async def dyn(x: int) -> int:  # BAD
            return x
        """,
        [r"@eager \(of 'dyn'\) is not supported"],
    ),
    "a schedule": (
        """
        @workflow
        def wf() -> int:
            return number()

        LaunchPlan.get_or_create(wf, "nightly", schedule=CronSchedule(schedule="0 1 * * *"))  # BAD
        """,
        [r"CronSchedule is not supported"],
    ),
    "a module that fails": (
        """
        import does_not_exist  # BAD
        """,
        [r"importing module 'bad' failed: ModuleNotFoundError: No module named 'does_not_exist'"],
    ),
    "a module that ends the process": (
        """
        raise SystemExit(3)  # BAD
        """,
        [r"importing module 'bad' failed: SystemExit: 3"],
    ),
    "a syntax error": (
        """
        def broken(:  # BAD
            pass
        """,
        [r"importing module 'bad' failed: SyntaxError: "],
    ),
    "no entity at all": ("pass\n", []),
}
