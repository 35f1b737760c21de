"""Requirements of the machine: Linux, root, and Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.testcluster.builds import Say, say_on_stderr
from infra.testcluster.errors import Unavailable

# Command (or file) → Debian's package that has it.
NODE_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "openssl": "openssl",
}
IMAGE_PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "skopeo": "skopeo"}

CNI_FOLDER = Path("/usr/lib/cni")
# A user's PATH often lacks the administrators' folders, where Debian has runc and ip.
PATH = os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin", "/usr/bin", "/bin"]))


def require(packages: dict[str, str], say: Say = say_on_stderr) -> None:
    """Ensure that the commands exist; as root on Debian, install missing packages.

    Raises Unavailable with the names of what is missing.
    """
    if sys.platform != "linux":
        raise Unavailable("the test cluster runs on Linux only")
    if os.geteuid() != 0:
        raise Unavailable("the test cluster runs containers and needs root")
    absent = missing(packages)
    if not absent:
        return
    if shutil.which("apt-get", path=PATH) is None:
        raise Unavailable(f"missing programs, and no apt-get to install them: {', '.join(absent)}")
    say(f"installing Debian's packages: {' '.join(absent)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *absent]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"missing packages ({', '.join(absent)}), and apt-get failed:\n{done.stderr.strip()[-1000:]}")


def missing(packages: dict[str, str]) -> list[str]:
    """Return the packages whose commands are missing."""
    return sorted({package for command, package in packages.items() if program(command) is None})


def program(name: str) -> str | None:
    """Return the path of a command; also search the sbin folders."""
    return shutil.which(name, path=PATH)


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command and return its output. Raise Unavailable with its message if it fails."""
    done = subprocess.run(command, input=stdin, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout
