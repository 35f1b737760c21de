"""Texts of the errors of tasks: pods, processes, container and shell tasks, task types."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

from flytemp import ContainerTask, FlyteDirectory, FlyteFile
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.interface import plain_interface
from flytemp.compiler.assemble import task_document
from flytemp.extras.tasks.shell import OutputLocation, ShellTask
from flytemp.literals.transfer import RawDataTransfer
from flytemp.runtime.container_io import read_outputs
from flytemp.runtime.invocation import TaskError
from flytemp.runtime.pod import other_protocol
from flytemp.task_types import task_type
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import classify, start_error
from flytemp_activities.kubernetes.creation import Creation, NotCreated
from flytemp_activities.kubernetes.manifest import PodManifest, resolve_image
from flytemp_activities.kubernetes.policy import Policy, read_policy
from flytemp_activities.process.child import Exit
from flytemp_activities.process.crashes import crash_error
from tests.messages.golden import Case, check_golden, unlocated

_DISRUPTION = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "to make room"}
_FETCH = {"name": "fetch", "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no route"}}}
_NUMBERS = itertools.count()
_SPEC = {"containers": [{"name": "primary", "resources": {"limits": {"memory": "64Mi"}}}]}


def text(error: TaskError | None) -> str:
    assert error is not None
    return f"{error.kind} {error.code}{'' if error.retryable else ', not retried'}\nmessage: {error.message}"


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"nodeName": "n", **_SPEC}, "status": {"phase": "Failed", **status}}


def ended(code: int, reason: str = "Error", message: str = "", **status: Any) -> Case:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}

    def case() -> str:
        end = classify(pod(containerStatuses=[{"name": "primary", "state": state}], **status), "primary").end
        assert end is not None
        return text(end.error)

    return case


def waiting(reason: str, message: str) -> Case:
    status = {"name": "primary", "state": {"waiting": {"reason": reason, "message": message}}}
    return lambda: text(start_error(classify(pod(phase="Pending", containerStatuses=[status]), "primary")))


def crashed(code: int | None = None, signal: int | None = None, *, memory: bool = False, violation: str = "") -> Case:
    return lambda: text(crash_error(Exit(code, signal), out_of_memory=memory, violation=violation))


class Refusing:
    """Pods of a server that refuses every creation."""

    def __init__(self, error: ApiError) -> None:
        self._error = error

    async def create(self, namespace: str, pod: dict[str, Any]) -> dict[str, Any]:
        raise self._error


def refused(status: int, reason: str, message: str) -> Case:
    async def create() -> str:
        pods: Any = Refusing(ApiError(status, reason, message))
        invocation: Any = None
        creation = Creation(pods, PodManifest({}, "primary", "tasks"), invocation, asyncio.Event())
        try:
            await creation.create(lambda reason, message: None)
        except NotCreated as failure:
            return text(failure.error)
        raise AssertionError

    return lambda: asyncio.run(create())


def shell(**options: Any) -> Case:
    return unlocated(lambda: task_document(ShellTask(**{"name": "a.b", "script": "true", **options}), None))


def container(**options: Any) -> Case:
    made: dict[str, Any] = {"name": "a.b", "image": "debian", "command": ["true"], **options}
    return unlocated(lambda: task_document(ContainerTask(**made), None))


def output(folder: Path, annotation: Any, content: bytes | None = b"", target: str = "", name: str = "x") -> Case:
    """Return the reading of the output 'x' from a file, from a link to ``target``, or from a directory if ``content`` is None."""
    made = folder / f"outputs-{next(_NUMBERS)}"
    made.mkdir()
    if target:
        (made / name).symlink_to(target)
    elif content is None:
        (made / name).mkdir()
    else:
        (made / name).write_bytes(content)
    interface = plain_interface("task 't'", {}, {"x": annotation}).interface
    return lambda: read_outputs(interface, made, RawDataTransfer(str(folder / "raw"), folder / "work"))


def policy(folder: Path, content: str) -> Case:
    file = folder / "policy.toml"

    def case() -> object:
        file.write_text(content)
        return read_policy(file)

    return case


CASES: dict[str, Case] = {
    "exit code of a container": ended(3, message="no such file"),
    "signal in a container": ended(139),
    "container killed": ended(137),
    "container out of memory": ended(137, "OOMKilled"),
    "command that cannot run": ended(128, "StartError", "exec: python3: not found"),
    "preempted pod": ended(137, conditions=[_DISRUPTION]),
    "pod without a status of its containers": lambda: text(_end(pod(reason="DeadlineExceeded"))),
    "image that cannot be pulled": waiting("ImagePullBackOff", "no such tag"),
    "throttled registry": waiting("ErrImagePull", "429 Too Many Requests"),
    "unknown reason to wait": waiting("Whatever", "?"),
    "init container that failed": lambda: text(_end(pod(initContainerStatuses=[_FETCH]))),
    "no image": lambda: resolve_image(None, Policy()),
    "unknown image": lambda: resolve_image("{{.image.other.fqn}}", Policy()),
    "process out of memory": crashed(signal=9, memory=True),
    "process killed": crashed(signal=9),
    "process that closed its descriptors": crashed(signal=9, violation="the task closed the descriptors"),
    "process ended by a shutdown": crashed(signal=15),
    "segmentation fault": crashed(signal=11),
    "process that exited": crashed(code=3),
    "process without an exit status": crashed(),
    "pod refused by a rule": refused(403, "Forbidden", "violates PodSecurity restricted"),
    "missing right": refused(403, "Forbidden", 'User "w" cannot create resource "pods"'),
    "missing namespace": refused(404, "NotFound", 'namespaces "tasks" not found'),
    "other protocol": lambda: text(other_protocol("99")),
    "unknown task type": lambda: task_type("unknown"),
    "unknown option": shell(retires=3),
    "shell task without a script": shell(script=None),
    "unknown input of a script": shell(script="echo {inputs.x}"),
    "brace in a script": shell(script="echo ${HOME}"),
    "input of bytes": shell(inputs={"x": bytes}),
    "unknown input of a location": shell(output_locs=[OutputLocation("o", int, "{inputs.x}")]),
    "attribute of an input": shell(script="{inputs.x.real}", inputs={"x": int}),
    "format of an input": shell(script="{inputs.x:d}", inputs={"x": int}),
    "unknown name of the context": shell(script="{ctx.nope}"),
    "output in a location": shell(output_locs=[OutputLocation("o", int, "{outputs.o}")]),
    "location outside of the directory": shell(output_locs=[OutputLocation("o", int, "../o")]),
    "files in a list": shell(inputs={"x": list[FlyteFile]}),
    "command that is not a list": container(command="echo 1"),
    "file in a command": container(command=["{{.inputs.x}}"], inputs={"x": FlyteFile}),
    "call of a container task": unlocated(ContainerTask(name="a.called", image="debian", command=["true"])),
}


def _end(failed: dict[str, Any]) -> TaskError | None:
    end = classify(failed, "primary").end
    assert end is not None
    return end.error


def test_texts_of_tasks(tmp_path: Path) -> None:
    policies = {
        "unknown key of the policy": policy(tmp_path, "waits = {}\n"),
        "field of a log link": policy(tmp_path, '[log_links]\nLoki = "https://logs/{pods}"\n'),
        "policy that is not TOML": policy(tmp_path, "= 1\n"),
    }
    outputs = {
        "output that is not an integer": output(tmp_path, int, b"four"),
        "output that is not true or false": output(tmp_path, bool, b"maybe"),
        "output that is not JSON": output(tmp_path, list[int], b"[1, 2"),
        "output that is not UTF-8": output(tmp_path, str, b"\xff\xfe"),
        "file for a directory": output(tmp_path, FlyteDirectory),
        "directory for a file": output(tmp_path, FlyteFile, None),
        "directory for a text": output(tmp_path, str, None),
        "link out of the folder": output(tmp_path, str, target="/etc/hostname"),
        "link that leads nowhere": output(tmp_path, str, target="absent"),
        "output without a file": output(tmp_path, str, name="y"),
        "too large an output": output(tmp_path, str, b"a" * (2 * 2**20 + 1)),
        "too many bytes": output(tmp_path, bytes, b"a" * (300 * 2**10)),
    }
    here = caller_site().location.file

    check_golden("tasks", {**CASES, **policies, **outputs}, {str(tmp_path): "<folder>", here: "<file>"})
