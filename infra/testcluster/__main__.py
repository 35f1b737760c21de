"""`python -m infra.testcluster build | up | down | status`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from infra.testcluster import builds, machine
from infra.testcluster.cluster import PARTS, Cluster, remove, state_folder
from infra.testcluster.errors import ClusterError


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.testcluster", description="The project's Kubernetes test cluster.")
    parser.add_argument("command", choices=["build", "up", "down", "status"])
    parser.add_argument("--state", type=Path, default=None, help="the cluster's folder (default: in the user's cache)")
    chosen = parser.parse_args(arguments)
    commands = {"build": _build, "up": _up, "down": _down, "status": _status}
    try:
        return commands[chosen.command](chosen.state)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1


def _build(_state: Path | None) -> int:
    machine.require({**machine.NODE_PACKAGES, **machine.IMAGE_PACKAGES})
    print(builds.programs())
    return 0


def _up(state: Path | None) -> int:
    began = time.monotonic()
    cluster = Cluster.start(state)
    cluster.keep()
    print(f"up in {time.monotonic() - began:.1f} s; use it with", file=sys.stderr)
    print(f"export KUBECONFIG={cluster.kubeconfig} PATH={cluster.settings.programs}:$PATH")
    return 0


def _down(state: Path | None) -> int:
    folder = state_folder(state)
    with builds.locked(folder.with_name(f"{folder.name}.lock")):
        remove(folder)
    return 0


def _status(state: Path | None) -> int:
    cluster = Cluster.find(state)
    if cluster is None:
        print(f"not running: {state_folder(state)}")
        return 1
    for part in PARTS:
        process = cluster.processes.find(part)
        print(f"{part:20} {f'pid {process.pid}' if process else 'not running'}")
    print(f"{'ready':20} {'yes' if cluster.reachable() else 'no'}")
    print(f"{'kubeconfig':20} {cluster.kubeconfig}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
