"""References: typed stubs that registration replaces by registered entities."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flytemp import reference_task
from flytemp.authoring.context import ExecutionParameters, TaskId, use_context
from flytemp.client.registration import RegistrationResult, register_paths
from flytemp.compiler import compile_closure, load_program
from flytemp.compiler.link import link_documents
from flytemp.errors import ProgramError
from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.runtime.dynamic import generate
from flytemp.spec.canonical import digest
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import LaunchPlanDocument, WorkflowDocument
from flytemp.spec.typecheck import document_problems
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.messages.golden import check_golden

LIBRARY = """
from typing import NamedTuple
from flytemp import LaunchPlan, conditional, dynamic, map_task, task, workflow

@task(retries=4)
def clean(rows: list[str], limit: int = 3) -> list[str]:
    return rows

@task
def count(rows: list[str]) -> int:
    return len(rows)

@task
def alarm(rows: list[str]) -> None:
    pass

@dynamic
def fan(n: int) -> int:
    return count(rows=["x"] * n)

@workflow
def inner(rows: list[str]) -> int:
    return count(rows=rows)

@workflow(on_failure=alarm)
def whole(rows: list[str]) -> int:
    n = inner(rows=clean(rows=rows))
    nightly()
    map_task(count)(rows=[["x"]])
    return conditional("c").if_(n > 3).then(fan(n=n)).else_().then(inner(rows=rows))

nightly = LaunchPlan.get_or_create(inner, name="nightly", default_inputs={"rows": ["a"]})
"""
USER = """
from flytemp import conditional, map_task, reference_launch_plan, reference_task, reference_workflow, task, workflow

@reference_task(project="shared", domain="production", name="lib.clean", version="v1")
def clean(rows: list[str]) -> list[str]: ...

@reference_task(project="shared", domain="production", name="lib.fan", version="")
def fan(n: int) -> int: ...

@reference_workflow("shared", "production", "lib.whole", None)
def whole(rows: list[str]) -> int: ...

@reference_launch_plan("shared", "production", "nightly")
def nightly(rows: list[str]) -> int: ...

@task
def last(n: int, m: int) -> int:
    return n + m

@workflow
def wf(rows: list[str]) -> int:
    n = whole(rows=clean(rows=rows))
    m = nightly(rows=rows)
    map_task(fan)(n=[1, 2])
    k = conditional("c").if_(n > 3).then(fan(n=n)).else_().then(last(n=n, m=m))
    return last(n=n, m=k)

@workflow
def plain(n: int) -> int:
    return last(n=n, m=n)
"""
U = "shared:production"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def register(store: ObjectStore, folder: Path, module: str, text: str, version: str, project: str = "mine") -> RegistrationResult:
    place = folder / f"{module}-{version}"
    place.mkdir(exist_ok=True)
    (place / f"{module}.py").write_text(text)
    domain = "production" if project == "shared" else "development"
    return register_paths(store, [place / f"{module}.py"], project=project, domain=domain, version=version)


def found(store: ObjectStore, name: str, version: str = "u1") -> WorkflowDocument:
    _, document = Registry(store).get(EntityId(EntityKind.WORKFLOW, "mine", "development", name, version))
    assert isinstance(document, WorkflowDocument)
    return document


def problems(store: ObjectStore, folder: Path, text: str) -> list[tuple[str, int, str]]:
    with pytest.raises(ProgramError) as caught:
        register(store, folder, "user", text, "bad")
    return [
        (problem.message, problem.location.line if problem.location else 0, problem.hint or "")
        for problem in caught.value.problems
    ]


def test_references_are_replaced_by_registered_entities(store: ObjectStore, tmp_path: Path) -> None:
    library = register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    user = register(store, tmp_path, "user", USER, "u1")
    assert {str(entry.entity) for entry in user.entries} == {
        "tsk:mine:development:user.last:u1",
        *(f"{kind}:mine:development:user.{name}:u1" for kind in ("wf", "lp") for name in ("wf", "plain")),
    }
    document = found(store, "user.wf")
    check_integrity(document)
    assert document_problems(document) == []
    assert set(document.workflows) == {"user.wf", f"wf:{U}:lib.whole:v1", f"wf:{U}:lib.inner:v1"}
    assert set(document.tasks) == {
        "user.last", f"tsk:{U}:lib.clean:v1", f"tsk:{U}:lib.fan:v1", f"tsk:{U}:lib.count:v1", f"tsk:{U}:lib.alarm:v1",
    }  # fmt: skip
    assert set(document.launch_plans) == {f"lp:{U}:nightly:v1"}
    assert document.tasks["user.last"].bundle is None
    assert document.bundle == user.bundle
    for key, task in document.tasks.items():
        if key != "user.last":
            assert task.bundle == library.bundle
            assert task.kind == ("dynamic" if task.name == "lib.fan" else "python")
    assert document.tasks[f"tsk:{U}:lib.clean:v1"].settings.retries.count == 4
    plan = document.launch_plans[f"lp:{U}:nightly:v1"]
    assert (plan.project, plan.domain, plan.version) == ("shared", "production", "v1")
    assert not plan.interface.inputs[0].required


def test_nodes_call_referenced_entities_by_urn(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    register(store, tmp_path, "user", USER, "u1")
    document = found(store, "user.wf")
    assert [(node.kind, node.target) for node in document.root.nodes] == [
        ("task", f"tsk:{U}:lib.clean:v1"),
        ("workflow", f"wf:{U}:lib.whole:v1"),
        ("launch_plan", f"lp:{U}:nightly:v1"),
        ("map", f"tsk:{U}:lib.fan:v1"),
        ("branch", ""),
        ("task", "user.last"),
    ]
    assert document.root.nodes[3].map is not None
    assert document.root.nodes[3].map.kind == "dynamic"
    branch = document.root.nodes[4].branch
    assert branch is not None
    assert [(case.node.kind, case.node.target) for case in branch.cases if case.node] == [
        ("dynamic", f"tsk:{U}:lib.fan:v1"),
        ("task", "user.last"),
    ]
    embedded = document.workflows[f"wf:{U}:lib.whole:v1"]
    assert embedded.name == "lib.whole"
    targets = {node.target for node in embedded.nodes}
    assert targets == {f"tsk:{U}:lib.clean:v1", f"tsk:{U}:lib.count:v1", f"wf:{U}:lib.inner:v1", f"lp:{U}:nightly:v1", ""}
    assert embedded.on_failure is not None
    assert embedded.on_failure.target == f"tsk:{U}:lib.alarm:v1"


def test_reference_without_version_gets_the_latest_at_registration(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    register(store, tmp_path, "lib", LIBRARY.replace("retries=4", "retries=5"), "v2", "shared")
    first = register(store, tmp_path, "user", USER, "u1")
    document = found(store, "user.wf")
    assert f"wf:{U}:lib.whole:v2" in document.workflows
    assert {f"tsk:{U}:lib.clean:v1", f"tsk:{U}:lib.clean:v2"} <= set(document.tasks)
    assert document.tasks[f"tsk:{U}:lib.clean:v1"].settings.retries.count == 4
    again = register(store, tmp_path, "user", USER, "u1")
    assert {entry.status for entry in again.entries} == {"unchanged"}
    assert again.bundle == first.bundle


PLACEHOLDERS = """
from flytemp import LaunchPlan, dynamic, reference_launch_plan, reference_task, task, workflow

@reference_task("{{ registration.project }}", "{{registration.domain}}", name="lib.clean", version="{{ registration.version }}")
def clean(rows: list[str]) -> list[str]: ...

@reference_launch_plan(
    "{{ registration.project }}", "{{ registration.domain }}", name="own plan", version="{{ registration.version }}"
)
def own(rows: list[str]) -> list[str]: ...

@reference_launch_plan(
    "{{ registration.project }}", "{{ registration.domain }}", name="nightly", version="{{ registration.version }}"
)
def nightly(rows: list[str]) -> int: ...

@workflow
def wf(rows: list[str]) -> list[str]:
    nightly(rows=rows)
    return own(rows=clean(rows=rows))

@task
def same(rows: list[str]) -> list[str]:
    return rows

@workflow
def target(rows: list[str]) -> list[str]:
    return same(rows=rows)

plan = LaunchPlan.get_or_create(target, name="own plan")
"""


def test_placeholders_stand_for_the_registration(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "u1")
    register(store, tmp_path, "lib", LIBRARY + "# changed", "newer")
    register(store, tmp_path, "user", PLACEHOLDERS, "u1")
    document = found(store, "user.wf")
    here = "mine:development"
    assert sorted(document.tasks) == [f"tsk:{here}:lib.clean:u1"]
    assert sorted(document.launch_plans) == [f"lp:{here}:nightly:u1", "own plan"]
    nightly = document.launch_plans[f"lp:{here}:nightly:u1"]
    assert (nightly.project, nightly.domain, nightly.version) == ("mine", "development", "u1")
    own = document.launch_plans["own plan"]
    assert (own.project, own.domain, own.version) == (None, None, None)


def test_placeholder_of_an_unknown_version_is_the_latest(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1")
    (tmp_path / "user.py").write_text(PLACEHOLDERS)
    result = register_paths(store, [tmp_path / "user.py"], project="mine", domain="development")
    assert "tsk:mine:development:lib.clean:v1" in found(store, "user.wf", result.version).tasks


def test_an_own_launch_plan_is_part_of_the_closure(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(PLACEHOLDERS)
    program = load_program([tmp_path / "user.py"])
    documents = compile_closure(program, program.workflows["user.wf"], None)
    assert ("launch_plan", "own plan") in {(document.kind, document.name) for document in documents}


def test_a_running_dynamic_task_replaces_placeholders(tmp_path: Path) -> None:
    text = PLACEHOLDERS + """
@dynamic
def fan(n: int) -> None:
    nightly(rows=["x"] * n)
"""
    (tmp_path / "user.py").write_text(text)
    program = load_program([tmp_path / "user.py"])
    with program.activated(), use_context(ExecutionParameters(task_id=TaskId("p", "d", "user.fan", "v3"))):
        document = generate(program.tasks["user.fan"], {"n": 1}, None)
    (plan,) = document.launch_plans.values()
    assert (plan.project, plan.domain, plan.name, plan.version) == ("p", "d", "nightly", "v3")


@pytest.mark.parametrize("part", [{"project": "{{ registration.version }}"}, {"version": "{{ registration }}"}, {"name": "a:b"}])
def test_a_wrong_placeholder_is_refused(part: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"registration|a:b"):
        reference_task(**{"project": "p", "domain": "d", "name": "n", "version": "v", **part})


def test_default_version_depends_on_the_referenced_versions(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "user.py").write_text(USER)

    def version() -> str:
        paths = [tmp_path / "p" / "user.py"]
        return register_paths(store, paths, project="mine", domain="development", dry_run=True).version

    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    before = version()
    assert version() == before
    register(store, tmp_path, "lib", LIBRARY.replace("retries=4", "retries=5"), "v2", "shared")
    assert version() != before


def test_launch_plan_has_the_digest_of_the_linked_workflow(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    register(store, tmp_path, "user", USER, "u1")
    for name in ("user.wf", "user.plain"):
        _, plan = Registry(store).get(EntityId(EntityKind.LAUNCH_PLAN, "mine", "development", name, "u1"))
        assert isinstance(plan, LaunchPlanDocument)
        assert plan.workflow_digest == digest(found(store, name))


def test_linked_workflow_can_be_referenced(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    register(store, tmp_path, "user", USER, "u1")
    third = """
from flytemp import workflow
from flytemp import reference_workflow

@reference_workflow("mine", "development", "user.wf")
def middle(rows: list[str]) -> int: ...

@workflow
def top(rows: list[str]) -> int:
    return middle(rows=rows)
"""
    register(store, tmp_path, "third", third, "t1")
    document = found(store, "third.top", "t1")
    check_integrity(document)
    assert set(document.workflows) == {
        "third.top", "wf:mine:development:user.wf:u1", f"wf:{U}:lib.whole:v1", f"wf:{U}:lib.inner:v1",
    }  # fmt: skip
    bundles = {key: task.bundle for key, task in document.tasks.items()}
    assert bundles["tsk:mine:development:user.last:u1"] not in (None, bundles[f"tsk:{U}:lib.clean:v1"])


def test_document_without_references_is_unchanged(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    register(store, tmp_path, "user", USER, "u1")
    document = found(store, "user.plain")
    assert link_documents([document], Registry(store))[0] is document


def test_every_unresolved_reference_is_reported(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    text = USER.replace('"lib.clean", version="v1"', '"lib.clean", version="v7"').replace('"lib.whole"', '"lib.wholy"')
    text = text.replace('"nightly"', '"nightli"')
    first, plan, third = problems(store, tmp_path, text)
    assert (first[1], third[1]) == (5, 11)
    texts = "\n".join(f"{message}\nhint: {hint}" for message, _, hint in (first, plan, third))
    check_golden("unresolved-references", {"a program": lambda: texts}, {store.uri: "STORE"})
    assert Registry(store).list(EntityKind.WORKFLOW, "mine", "development") == []


STUBS = [
    "def clean(rows: list[int]) -> list[str]: ...",
    "def clean(rows: list[str]) -> list[int]: ...",
    "def clean(rows: list[str], more: int = 1) -> list[str]: ...",
    "def clean(limit: int) -> list[str]: ...",
    "def clean(rows: list[str]) -> tuple[list[str], int]: ...",
]


def test_stubs_with_another_interface_are_refused(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")

    def refused(stub: str) -> str:
        text = f"""
from flytemp import workflow
from flytemp import reference_task

@reference_task("shared", "production", "lib.clean")
{stub}

@workflow
def wf() -> None:
    clean({"limit=1" if "limit" in stub else "rows=[]"})
"""
        ((message, line, hint),) = problems(store, tmp_path, text)
        assert line == 6
        return f"{message}\nhint: {hint}"

    check_golden("reference-interfaces", {stub: partial(refused, stub) for stub in STUBS})


def test_two_stubs_of_one_task_are_one_reference(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.py").write_text(USER)
    register_paths(store, [folder], project="mine", domain="development", version="u1")
    assert set(found(store, "a.wf").launch_plans) == {f"lp:{U}:nightly:v1"}


def test_references_in_spec_files_are_linked(store: ObjectStore, tmp_path: Path) -> None:
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    text = """
kind: workflow
name: w
interface: {inputs: {rows: "list[str]"}, outputs: {n: int}}
tasks:
  "tsk:shared:production:lib.clean": {interface: {inputs: {rows: "list[str]"}, outputs: {o0: "list[str]"}}}
  own: {name: own, reference: "tsk:shared:production:lib.count:v1", interface: {inputs: {rows: "list[str]"}, outputs: {o0: int}}}
nodes:
  - {kind: task, target: "tsk:shared:production:lib.clean", inputs: {rows: $inputs.rows}}
  - {kind: task, target: own, inputs: {rows: $n0.o0}}
outputs: {n: $n1.o0}
"""
    (tmp_path / "w.yaml").write_text(text)
    register_paths(store, [tmp_path / "w.yaml"], project="mine", domain="development", version="u1")
    document = found(store, "w")
    check_integrity(document)
    assert set(document.tasks) == {f"tsk:{U}:lib.clean:v1", f"tsk:{U}:lib.count:v1"}
    assert [node.target for node in document.root.nodes] == [f"tsk:{U}:lib.clean:v1", f"tsk:{U}:lib.count:v1"]


def test_dry_run_links_and_writes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    place: dict[str, Any] = {"project": "mine", "domain": "development", "dry_run": True}
    with pytest.raises(ProgramError):
        register_paths(store, [tmp_path / "user.py"], **place)
    register(store, tmp_path, "lib", LIBRARY, "v1", "shared")
    registration = register_paths(store, [tmp_path / "user.py"], **place)
    assert {entry.status for entry in registration.entries} == {"new"}
    assert Registry(store).list(EntityKind.WORKFLOW, "mine", "development") == []
