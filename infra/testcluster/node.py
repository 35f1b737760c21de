"""The real node: containerd and a kubelet, on the address of the pod bridge."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from infra.testcluster import machine
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.processes import Identity
from infra.testcluster.settings import Settings

PAUSE_IMAGE = "localhost/testcluster/pause:1"
CGROUPS = Path("/sys/fs/cgroup")

_CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  # Machines without CAP_SYS_RESOURCE can't lower a process's score.
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "{folder}/cni"
"""


def write_configuration(settings: Settings) -> None:
    """Write the configuration of containerd and the kubelet, and create the control group of pods."""
    (settings.folder / "containerd.toml").write_text(
        _CONTAINERD.format(
            folder=settings.folder,
            socket=settings.containerd_socket,
            pause=PAUSE_IMAGE,
            snapshotter=snapshotter(settings.folder),
            cni_programs=machine.CNI_FOLDER,
        )
    )
    # There is no DNS server on the bridge, so look-ups fail at once with an error in the pod's log.
    (settings.folder / "resolv.conf").write_text(f"nameserver {settings.bridge_ip}\noptions timeout:1 attempts:1\n")
    (settings.folder / "kubelet.json").write_text(json.dumps(_kubelet_configuration(settings), indent=2))


def containerd(settings: Settings) -> list[str]:
    """Return the command of containerd."""
    return [machine.program("containerd") or "containerd", f"--config={settings.folder / 'containerd.toml'}"]


def kubelet(settings: Settings) -> list[str]:
    """Return the command of the kubelet."""
    return [
        str(settings.programs / "kubelet"),
        f"--config={settings.folder / 'kubelet.json'}",
        f"--kubeconfig={settings.kubeconfig('kubelet')}",
        f"--root-dir={settings.folder / 'kubelet'}",
        f"--hostname-override={settings.node_name}",
        # The kubelet refuses a loopback address, and pods access the machine at this address.
        f"--node-ip={settings.bridge_ip}",
        "--node-labels=testcluster/node=real",
    ]


def _kubelet_configuration(settings: Settings) -> dict[str, object]:
    pki = settings.ca_file.parent
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.bridge_ip,
        "port": 10250,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "tlsCertFile": str(pki / "server.crt"),
        "tlsPrivateKeyFile": str(pki / "server.key"),
        # Pods can access this address, so only the API server's certificate is accepted.
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(settings.ca_file)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{settings.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images were imported and cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "maxPods": 200,
        "kubeAPIQPS": 500,
        "kubeAPIBurst": 1000,
        "nodeLeaseDurationSeconds": 4,
        "podLogsDir": str(settings.folder / "pod-logs"),
        "volumePluginDir": str(settings.folder / "volume-plugins"),
        "resolvConf": str(settings.folder / "resolv.conf"),
        "clusterDNS": [settings.bridge_ip],
    }


def snapshotter(folder: Path) -> str:
    """Return the snapshotter: overlayfs, or native copies if the state folder is on an overlay."""
    kind = machine.run("stat", "--file-system", "--format=%T", str(folder)).strip()
    return "native" if kind == "overlayfs" else "overlayfs"


def add_control_group(settings: Settings) -> None:
    """Create the root control group that the kubelet requires, in all hierarchies of cgroup v1 or in cgroup v2."""
    for folder in _control_groups(settings):
        folder.mkdir(exist_ok=True)
    if (CGROUPS / "cgroup.controllers").exists():
        controllers = (CGROUPS / "cgroup.controllers").read_text().split()
        (CGROUPS / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def _control_groups(settings: Settings) -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / settings.name]
    hierarchies = {path.resolve() for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()}
    return [path / settings.name for path in sorted(hierarchies)]


def ctr(settings: Settings, *arguments: str) -> str:
    """Run containerd's command line for this cluster's containers."""
    address = ("--address", str(settings.containerd_socket), "--namespace", "k8s.io")
    done = subprocess.run(["ctr", *address, *arguments], env={"PATH": machine.PATH}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"ctr {' '.join(arguments)}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def end_containers(settings: Settings) -> None:
    """Kill all processes in the cluster's control group and the shims of its containerd.

    Works without a containerd, so also on what a crash has left behind.
    """
    processes = {*_processes_in_control_groups(settings), *_shims(settings)}
    for process in processes:
        process.end(patience=0)


def _processes_in_control_groups(settings: Settings) -> set[Identity]:
    found: set[Identity] = set()
    for group in _control_groups(settings):
        for listing in group.rglob("cgroup.procs"):
            with suppress(OSError):
                found.update(identity for pid in listing.read_text().split() if (identity := Identity.of(int(pid))))
    return found


def _shims(settings: Settings) -> set[Identity]:
    """Return whether a shim belongs to this cluster, by the socket in its arguments."""
    found: set[Identity] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"containerd-shim-runc-v2") and os.fsencode(settings.containerd_socket) in words:
                identity = Identity.of(int(path.parent.name))
                if identity:
                    found.add(identity)
    return found


def remove_traces(settings: Settings) -> None:
    """Remove control groups, the kubelet's links to logs, and the sockets of shims."""
    for group in _control_groups(settings):
        for folder in sorted(group.rglob("*"), reverse=True):
            if folder.is_dir():
                with suppress(OSError):
                    folder.rmdir()
        with suppress(OSError):
            group.rmdir()
    for link in Path("/var/log/containers").glob("*.log"):
        with suppress(OSError):
            if Path(os.readlink(link)).is_relative_to(settings.folder):
                link.unlink()
    for address in settings.folder.glob("containerd-state/io.containerd.runtime.v2.task/*/*/address"):
        with suppress(OSError):
            Path(address.read_text().removeprefix("unix://")).unlink()


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    for point in sorted((point for point in points if point.is_relative_to(folder)), reverse=True):
        with suppress(Unavailable):
            machine.run("umount", "--lazy", str(point))
