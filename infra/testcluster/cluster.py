"""The test cluster: creation, faults and removal."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from infra.testcluster import archives, audit, builds, certificates, controlplane, kwok, machine, network, node
from infra.testcluster.access import KubernetesAccess
from infra.testcluster.api import Api, eventually
from infra.testcluster.builds import Say, say_on_stderr
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.processes import Processes
from infra.testcluster.settings import WORKER, Settings

# In the order of their start.
PARTS: dict[str, Callable[[Settings], list[str]]] = {
    "etcd": controlplane.etcd,
    "apiserver": controlplane.api_server,
    "containerd": node.containerd,
    "controller-manager": controlplane.controller_manager,
    "scheduler": controlplane.scheduler,
    "kwok": kwok.kwok,
    "kubelet": node.kubelet,
}
READY_SECONDS = 60


class Cluster(KubernetesAccess):
    """Cluster with a real API server, scheduler and controllers, one real node, and simulated nodes.

    `Cluster.start()` returns the one that runs in the folder, or makes it. Everything it has is in that folder, beside a
    network bridge.
    """

    def __init__(self, settings: Settings) -> None:
        api = Api(settings.server, settings.tokens["admin"], settings.ca_file)
        super().__init__(
            settings.kubeconfig("admin"),
            api,
            kubectl=str(settings.programs / "kubectl"),
            token=settings.tokens["admin"],
            ca_file=settings.ca_file,
        )
        self.settings = settings
        self.processes = Processes(settings.folder)

    @classmethod
    def start(cls, folder: Path | None = None, *, say: Say = say_on_stderr) -> Cluster:
        """Return the running cluster of a folder (default: in the user's cache); create or repair it if necessary.

        Raises Unavailable when this machine cannot have it, ClusterError when a part of it does not come up.
        """
        folder = state_folder(folder)
        machine.require(machine.NODE_PACKAGES, say)
        programs = builds.programs(say)
        with builds.locked(folder.with_name(f"{folder.name}.lock"), say):
            settings = Settings.load(folder)
            if settings is not None and settings.programs == programs and is_up(settings):
                cluster = cls(settings)
                cluster._mend()
                return cluster
            remove(folder)
            return cls._make(folder, programs)

    @classmethod
    def find(cls, folder: Path | None = None) -> Cluster | None:
        """Return the cluster of a folder if it runs."""
        settings = Settings.load(state_folder(folder))
        return cls(settings) if settings is not None and is_up(settings) else None

    def stop(self) -> None:
        """Stop the cluster and remove its folder."""
        folder = self.settings.folder
        with builds.locked(folder.with_name(f"{folder.name}.lock")):
            remove(folder)

    def keep(self) -> None:
        """Mark the cluster as started by a user, so that test sessions do not stop it."""
        (self.settings.folder / "kept").touch()

    @property
    def kept(self) -> bool:
        """Return whether test sessions leave the cluster running."""
        return (self.settings.folder / "kept").exists()

    # Access.

    @property
    def worker_token(self) -> str:
        """Token of the user `flytemp-worker`, who has only the rights granted by `grant`."""
        return self.settings.tokens[WORKER]

    @property
    def worker_kubeconfig(self) -> Path:
        """Kubeconfig of the user `flytemp-worker`."""
        return self.settings.kubeconfig(WORKER)

    @property
    def bridge_ip(self) -> str:
        """Address of this machine's servers for pods."""
        return self.settings.bridge_ip

    @property
    def node_name(self) -> str:
        """Name of the real node."""
        return self.settings.node_name

    @property
    def audit_log(self) -> Path:
        """Path of the API server's audit log (JSON lines)."""
        return self.settings.audit_log

    def requests(self, since: datetime, user_agent_prefix: str) -> Counter[str]:
        """Count the requests to the API server by `verb resource`; see `audit.count`."""
        # The log is written in order, so all earlier requests are there when this marker request is.
        mark = f"mark-{uuid.uuid4()}"
        Api(self.server, self.token, self.ca_file, agent=mark).get("/version")
        eventually("audit log written", lambda: mark.encode() in _tail(self.audit_log))
        return audit.count(self.audit_log, since, user_agent_prefix)

    def load_image(self, archive: Path) -> None:
        """Import a docker-archive or an OCI archive, for pods with imagePullPolicy Never or IfNotPresent."""
        kind = node.snapshotter(self.settings.folder)
        node.ctr(self.settings, "images", "import", f"--snapshotter={kind}", str(archive))

    def has_image(self, name: str) -> bool:
        """Return whether pods can use an image with this full name."""
        return name in node.ctr(self.settings, "images", "list", "-q").splitlines()

    def image_content(self) -> set[str]:
        """Return the digests of layers and configurations in containerd; an archive may omit them."""
        return set(node.ctr(self.settings, "content", "list", "-q").split())

    # Faults.

    def kill_container(self, container_id: str) -> None:
        """Kill a container of the real node by the id in the pod's status (``containerd://…``).

        Raises:
            ClusterError: the container has ended.
        """
        identity = container_id.removeprefix("containerd://")
        node.ctr(self.settings, "tasks", "kill", "--signal", "SIGKILL", identity)

    def kill(self, part: str) -> None:
        """Kill one part (see PARTS) with SIGKILL. Containers survive kubelet and containerd."""
        self.processes.end(part, patience=0)

    def start_part(self, part: str) -> None:
        """Start a killed part again."""
        if self.processes.find(part) is None:
            self.processes.start(part, PARTS[part](self.settings))

    def pause(self, part: str) -> None:
        """Suspend a part until `resume`."""
        self.processes.signal(part, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        """Resume a paused part."""
        self.processes.signal(part, signal.SIGCONT)

    def kill_apiserver(self) -> None:
        """Kill the API server: connections break and requests are refused."""
        self.kill("apiserver")

    def start_apiserver(self) -> None:
        """Start the API server again at the same address, and wait until it is ready."""
        self.start_part("apiserver")
        self._wait("apiserver", self.reachable)

    def kill_kubelet(self) -> None:
        """Kill the kubelet: pods keep running without reports, and the node is lost after some seconds."""
        self.kill("kubelet")

    def pause_kubelet(self) -> None:
        """Suspend the kubelet until `resume_kubelet`, with the effects of `kill_kubelet`."""
        self.pause("kubelet")

    def resume_kubelet(self) -> None:
        """Resume the kubelet, and wait until the node is ready."""
        self.resume("kubelet")
        self.wait_for_node(self.node_name)

    def start_kubelet(self) -> None:
        """Start the kubelet again, and wait until the node is ready."""
        self.start_part("kubelet")
        self.wait_for_node(self.node_name)

    def lose_kwok_node(self, name: str) -> None:
        """Stop the node's reports: the node is lost after some seconds, and its deleted pods never disappear."""
        self.api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {"type": "kwok-lost"}}})

    def restore_kwok_node(self, name: str) -> None:
        """Restore a lost node and wait for it; pods deleted in the meantime disappear."""
        self.api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {"type": "kwok"}}})
        self.wait_for_node(name)
        # A kubelet does this after its restart; kwok misses changes during the outage.
        for pod in self.api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")["items"]:
            metadata = pod["metadata"]
            if "deletionTimestamp" in metadata:
                self.api.delete(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}?gracePeriodSeconds=0")

    # Creation.

    @classmethod
    def _make(cls, folder: Path, programs: Path) -> Cluster:
        folder.mkdir(parents=True, mode=0o700)
        index = network.add_bridge()
        try:
            settings = Settings.choose(folder, programs, index)
            settings.save()
            network.bring_up(settings)
            _write_state(settings)
        except BaseException:
            network.remove_bridge(f"cni{index}")
            raise
        cluster = cls(settings)
        try:
            cluster._bring_up()
        except BaseException:
            # The logs are deleted with the folder, so the error quotes them.
            with suppress(ClusterError, OSError):
                remove(folder)
            raise
        return cluster

    def _bring_up(self) -> None:
        settings = self.settings
        for part in ("etcd", "apiserver", "containerd"):
            self.start_part(part)
        archive = settings.folder / "busybox.tar"
        archives.write_busybox_archive(archive)
        self._wait("containerd", settings.containerd_socket.exists)
        self._wait("containerd", lambda: bool(node.ctr(settings, "version")))
        self.load_image(archive)
        self._wait("apiserver", self.reachable)
        for part in ("kubelet", "controller-manager", "scheduler", "kwok"):
            self.start_part(part)
        self.api.create("/api/v1/nodes", kwok.node(kwok.KEEPER, pods=0))
        for name in (settings.node_name, kwok.KEEPER):
            self._wait("kubelet", lambda name=name: self._usable(name))  # type: ignore[misc]
        service_account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("controller-manager", lambda: self.api.find(service_account) is not None)

    def _wait(self, part: str, look: Callable[[], bool]) -> None:
        """Wait for a result of a part; fail at once if the part has ended."""
        until = time.monotonic() + READY_SECONDS
        while True:
            with suppress(ClusterError):
                if look():
                    return
            if self.processes.find(part) is None:
                raise ClusterError(self.processes.explain(part, "has ended"))
            if time.monotonic() > until:
                raise ClusterError(self.processes.explain(part, f"was not ready within {READY_SECONDS} s"))
            time.sleep(0.02)

    def _mend(self) -> None:
        """Start killed parts and resume paused parts."""
        for part in PARTS:
            process = self.processes.find(part)
            if process is None:
                self.start_part(part)
            else:
                process.signal(signal.SIGCONT)
        self._wait("apiserver", self.reachable)
        self._wait("kubelet", lambda: self._usable(self.node_name))


def _write_state(settings: Settings) -> None:
    """Write the configuration of all parts."""
    (settings.folder / "logs").mkdir()
    certificates.write_certificates(settings)
    controlplane.write_configuration(settings)
    network.write_cni_configuration(settings)
    node.add_control_group(settings)
    node.write_configuration(settings)


def state_folder(folder: Path | None) -> Path:
    """Return the cluster's folder: the given one, FLYTEMP_TESTCLUSTER_STATE, or the one in the user's cache."""
    chosen = os.environ.get("FLYTEMP_TESTCLUSTER_STATE")
    return (folder or (Path(chosen) if chosen else builds.cache_folder() / "state")).resolve()


def is_up(settings: Settings) -> bool:
    """Return whether the cluster's database runs on its own bridge; all other parts can be restarted."""
    return Processes(settings.folder).find("etcd") is not None and network.owns_bridge(settings)


def remove(folder: Path) -> None:
    """Stop and remove everything that a state folder names, also after a crash or a reboot."""
    if not folder.exists():
        return
    settings = Settings.load(folder)
    if settings is None and any(folder.iterdir()):
        raise Unavailable(f"not the state of a test cluster: {folder}")
    processes = Processes(folder)
    processes.end("kubelet", patience=0)
    if settings is not None and network.owns_bridge(settings):
        node.end_containers(settings)
    for part in reversed(PARTS):
        processes.end(part, patience=0)
    node.unmount_below(folder)
    if settings is not None:
        network.remove_cni_results(settings)
        if network.owns_bridge(settings):
            node.remove_traces(settings)
            network.remove_bridge(settings.bridge)
    _remove_files(folder)


def _remove_files(folder: Path) -> None:
    """Remove a state folder. The file that identifies the cluster is removed last, so an interrupted removal can continue."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "cluster.json":
            path.unlink()
    shutil.rmtree(folder)


def _tail(path: Path, size: int = 1 << 20) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        return file.read()
