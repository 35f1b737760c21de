"""Demo of the digits pipeline on a local Kubernetes cluster with a pod per task: `just demo-kubernetes`.

Starts the test cluster (or uses the one that is up), an S3 server for the store, and `flytemp dev` with a worker that starts
pods. Registers and launches the pipeline, shows its nodes while they run, prints the results and the pods, and stops
everything again. On Linux, as root.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from examples.digits.demo import DemoFailed, Terminated, command_line, end_of_log, raise_terminated, say, stop_child
from flytemp.store import open_store
from flytemp_worker.devserver import spawn_tethered
from infra.testcluster import Cluster, ClusterError, S3Server, images
from infra.testcluster.access import GPU
from infra.testcluster.cluster import state_folder

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent
STATE = HERE / ".flytemp"
RUN = STATE / "run"
PROJECT = RUN / "project"
LOG = RUN / "dev.log"
VARIABLES = RUN / "environment.sh"
PICTURE = STATE / "confusion_matrix.png"
RIGHTS = EXAMPLES.parent / "infra" / "rbac" / "worker.yaml"
LABEL = "flytemp-demo=digits"
START_SECONDS = 120
STOP_SECONDS = 90
COLUMNS = (
    r"POD:.metadata.name,TASK:.metadata.labels.flytemp\.dev/task,NODE:.metadata.annotations.flytemp\.dev/path,"
    r"STATUS:.status.phase,GPU:.spec.containers[0].resources.limits.nvidia\.com/gpu,MACHINE:.spec.nodeName"
)


@dataclass(frozen=True)
class Place:
    """Environment of the demo: a namespace of the cluster, and environment variables for commands and the worker."""

    cluster: Cluster
    namespace: str
    variables: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment without the caller's connection and store."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_", "AWS_"))}
        return {**ours, **self.variables}


def main() -> int:
    """Run the demo and return the exit code."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        with ExitStack() as stack:
            place = prepare(stack)
            run_pipeline(place)
            if arguments.keep:
                say("\neverything keeps running until Ctrl-C; to use `flytemp` and `kubectl` in another terminal, run")
                say(f"  cd {PROJECT} && . {VARIABLES}")
                with suppress(KeyboardInterrupt):
                    signal.pause()
    except (DemoFailed, ClusterError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Terminated:
        return 143
    shutil.rmtree(RUN, ignore_errors=True)
    say("\nstopped all processes")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the digits pipeline on a Kubernetes of its own")
    parser.add_argument("--keep", action="store_true", help="keep the cluster, the server and the pods until Ctrl-C")
    return parser.parse_args()


# ------------------------------------------------------------------------------------------- prepare


def prepare(stack: ExitStack) -> Place:
    """Prepare everything that the pipeline needs; ``stack`` stops it in reverse order."""
    stack.enter_context(_alone())
    cluster = stack.enter_context(_running_cluster())
    _remove_leftovers(cluster)
    say("preparing the image (the first time takes some minutes)")
    image = images.digits_image(cluster)
    store = S3Server.start(RUN / "s3", address=cluster.bridge_ip)
    stack.callback(store.stop)
    stack.enter_context(_one_gpu(cluster))
    namespace = stack.enter_context(_namespace(cluster))
    say(f"namespace {namespace}, image {image}")
    _allow_worker(cluster, namespace)
    _keep_credentials(cluster, namespace, store.environment)
    _write_project()
    place = Place(
        cluster,
        namespace,
        {
            **store.environment,
            "FLYTEMP_STORE": f"{store.url}/demo",
            "FLYTEMP_KUBERNETES_KUBECONFIG": str(cluster.worker_kubeconfig),
            "FLYTEMP_KUBERNETES_NAMESPACE": namespace,
            "FLYTEMP_KUBERNETES_IMAGE": image,
        },
    )
    _write_environment(place)
    stack.enter_context(_running_dev(place))
    return place


@contextmanager
def _alone() -> Iterator[None]:
    """Lock the folder for one demo at a time, and empty it."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed("the demo runs already") from None
        if (left := S3Server.find(RUN / "s3")) is not None:
            left.stop()
        shutil.rmtree(RUN, ignore_errors=True)
        PROJECT.mkdir(parents=True)
        yield


@contextmanager
def _running_cluster() -> Iterator[Cluster]:
    """Yield the test cluster. It keeps running if `just cluster up` started it or tests use it."""
    folder = state_folder(None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        cluster = Cluster.start()
        say(f"cluster {cluster.server}")
        try:
            yield cluster
        finally:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                if not cluster.kept:
                    cluster.stop()


def _remove_leftovers(cluster: Cluster) -> None:
    """Remove the resources of a demo that was killed."""
    cluster.kubectl("delete", "namespace", "--selector", LABEL, "--wait=false")


@contextmanager
def _one_gpu(cluster: Cluster) -> Iterator[None]:
    """Add a GPU to the node's status, which the scheduler reads."""
    before = cluster.api.get(f"/api/v1/nodes/{cluster.node_name}")["status"]["capacity"].get(GPU, "0")
    if before != "0":
        yield
        return
    cluster.set_gpus(cluster.node_name, 1)
    try:
        yield
    finally:
        cluster.set_gpus(cluster.node_name, 0)


@contextmanager
def _namespace(cluster: Cluster) -> Iterator[str]:
    name = f"flytemp-demo-{secrets.token_hex(3)}"
    cluster.create_namespace(name)
    try:
        cluster.kubectl("label", "namespace", name, LABEL)
        yield name
    finally:
        cluster.delete_namespace(name)


def _allow_worker(cluster: Cluster, namespace: str) -> None:
    """Grant the worker's user the rights of infra/rbac only."""
    for one in yaml.safe_load_all(RIGHTS.read_text().replace("namespace: flytemp-tasks\n", f"namespace: {namespace}\n")):
        if one["kind"] == "ServiceAccount":
            continue  # the worker is outside the cluster
        if one["kind"] == "RoleBinding":
            one["subjects"] = [{"kind": "User", "name": "flytemp-worker", "apiGroup": "rbac.authorization.k8s.io"}]
        cluster.kubectl("apply", "-f", "-", input=json.dumps(one))


def _keep_credentials(cluster: Cluster, namespace: str, variables: dict[str, str]) -> None:
    """Create the secret ``store`` that policy.toml names."""
    data = {name: base64.b64encode(value.encode()).decode() for name, value in variables.items()}
    cluster.api.create(f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "store"}, "data": data})


def _write_project() -> None:
    """Create the project from this folder's files and the pipeline of examples/digits."""
    for path in (HERE / "flytemp.toml", HERE / "policy.toml", HERE / "digits_gpu.py", EXAMPLES / "digits" / "pipeline.py"):
        shutil.copy(path, PROJECT)


def _write_environment(place: Place) -> None:
    """Write the environment variables for another terminal, for `--keep`."""
    VARIABLES.touch(mode=0o600)  # it holds the key of the S3 server; so it is not in the project, which is bundled
    scripts, programs = Path(sys.executable).parent, place.cluster.settings.programs
    lines = [f"export {name}={shlex.quote(value)}" for name, value in place.variables.items()]
    lines += [f"export KUBECONFIG={shlex.quote(str(place.cluster.kubeconfig))}"]
    lines += [f"export PATH={shlex.quote(str(scripts))}:{shlex.quote(str(programs))}:$PATH"]
    VARIABLES.write_text("\n".join(lines) + "\n")


@contextmanager
def _running_dev(place: Place) -> Iterator[None]:
    """Run `flytemp dev` as a child process: a Temporal server, and a worker that runs tasks as pods."""
    arguments = ["dev", "--port", "0", "--ui-port", "0"]
    say(f"$ flytemp {' '.join(arguments)}")
    with LOG.open("ab") as log:
        child = spawn_tethered(
            command_line(arguments), cwd=PROJECT, env=place.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_until_ready(child)
        yield
    finally:
        stop_child(child, STOP_SECONDS)


def _wait_until_ready(child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise DemoFailed(f"`flytemp dev` ended with exit code {child.returncode}:\n{end_of_log(LOG)}")
        if (PROJECT / ".flytemp" / "dev.json").exists():
            return
        time.sleep(0.1)
    raise DemoFailed(f"`flytemp dev` is not ready after {START_SECONDS} s:\n{end_of_log(LOG)}")


# ----------------------------------------------------------------------------------------------- run


def flytemp(place: Place, *arguments: str) -> None:
    """Run a command on this terminal."""
    say(f"\n$ flytemp {' '.join(arguments)}")
    code = subprocess.run(command_line(arguments), cwd=PROJECT, env=place.environment, check=False).returncode
    if code != 0:
        raise DemoFailed(f"`flytemp {arguments[0]}` ended with exit code {code}; logs are below {PROJECT / '.flytemp'}")


def run_pipeline(place: Place) -> None:
    """Register, launch and follow the pipeline, and print its results."""
    name = f"digits-{datetime.now():%Y%m%d-%H%M%S}"
    flytemp(place, "register", "digits_gpu.py")
    flytemp(place, "launch", "digits_gpu", "--name", name, "--test-share", "0.25", "--follow")
    done = subprocess.run(
        command_line(["get", "execution", name, "-o", "json"]),
        cwd=PROJECT, env=place.environment, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    execution = json.loads(done.stdout)
    show_results(place, execution["outputs"])
    show_pods(place, execution)


def show_results(place: Place, outputs: dict[str, Any]) -> None:
    """Print the results of the pipeline and download its picture."""
    os.environ.update(place.variables)  # of this process, too: it reads the store
    folder, _, file = outputs["confusion_picture"]["uri"].rpartition("/")
    PICTURE.write_bytes(open_store(folder).read(file))
    metrics = outputs["metrics"]
    say("\nResults")
    say(f"  best model         {metrics['model']}")
    say(f"  test accuracy      {metrics['accuracy']:.4f} of {metrics['test_samples']} images")
    say(f"  macro F1           {metrics['macro_f1']:.4f}")
    say(f"  confusion matrix   {PICTURE}")
    say(f"  model              {outputs['best_model']['uri']}")


def show_pods(place: Place, execution: dict[str, Any]) -> None:
    """Print the pods, and check that each task had a pod and one had the GPU."""
    command = ("get", "pods", "--namespace", place.namespace, "--sort-by", ".metadata.creationTimestamp")
    say(f"\n$ kubectl {' '.join(command)}")
    say(place.cluster.kubectl(*command, "--output", f"custom-columns={COLUMNS}").rstrip())
    pods = json.loads(place.cluster.kubectl(*command, "--output", "json"))["items"]
    wanted = {node["id"] for node in execution["nodes"] if node["kind"] == "task"}
    found = {pod["metadata"]["annotations"]["flytemp.dev/path"] for pod in pods}
    with_gpu = [pod for pod in pods if GPU in pod["spec"]["containers"][0]["resources"]["limits"]]
    if found != wanted or len(with_gpu) != 1:
        raise DemoFailed(f"the tasks are {sorted(wanted)}, the pods are of {sorted(found)}, {len(with_gpu)} had a GPU")
    say(f"\n{len(wanted)} tasks, each in its own pod; one of them had a GPU")


if __name__ == "__main__":
    sys.exit(main())
