"""Builds of the project's images from the Dockerfiles in `infra/images`, without docker, and their import into the cluster.

What is slow is done once and kept in the cache: a Debian with Python as the base, the wheels of the dependencies, and the
layer that has them installed. An image is named by a digest of everything that is in it: an unchanged tree is not built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.testcluster import builds, machine, node
from infra.testcluster.access import KubernetesAccess
from infra.testcluster.builds import Say, say_on_stderr
from infra.testcluster.cluster import Cluster
from infra.testcluster.errors import Unavailable
from infra.testcluster.layouts import Layout

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = ROOT / "infra" / "images"
# The folders in the wheel, see pyproject.toml.
SOURCES = ("sdk", "activities", "worker", "cli")
KEPT = 3

DEBIAN = "bookworm"
PYTHON = "3.11"  # the one in that Debian
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
BASE_IMAGE = f"localhost/flytemp-testcluster/base:{DEBIAN}-{hashlib.sha256(BASE_PACKAGES.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Image:
    """One of the project's images. `variable` names an existing image, for clusters without import."""

    name: str
    extras: str
    variable: str

    @property
    def dockerfile(self) -> Path:
        """Path of the Dockerfile."""
        return DOCKERFILES / self.name / "Dockerfile"


TASK = Image("task", "s3,gcs", "FLYTEMP_TEST_TASK_IMAGE")
WORKER = Image("worker", "worker,kubernetes,s3,gcs", "FLYTEMP_TEST_WORKER_IMAGE")


def task_image(cluster: KubernetesAccess, say: Say = say_on_stderr) -> str:
    """Return the name of the task image of this checkout; build and import it if necessary."""
    return _provide(TASK, cluster, say)


def worker_image(cluster: KubernetesAccess, say: Say = say_on_stderr) -> str:
    """Return the name of the worker image of this checkout; build and import it if necessary."""
    return _provide(WORKER, cluster, say)


def _provide(image: Image, cluster: KubernetesAccess, say: Say) -> str:
    if given := os.environ.get(image.variable):
        return given
    if not isinstance(cluster, Cluster):
        raise Unavailable(f"images can't be imported into this cluster: push one and set {image.variable} to its name")
    digest = tree_digest(image)
    name = f"localhost/flytemp/{image.name}:{digest}"
    with builds.locked(_folder() / "lock", say):
        if not cluster.has_image(name):
            layout = _build(image, digest, say)
            with tempfile.TemporaryDirectory(dir=_folder(), prefix="import-") as temporary:
                archive = Path(temporary) / "image.tar"
                layout.write_archive(f"{image.name}-{digest}", name, archive, cluster.image_content())
                cluster.load_image(archive)
    return name


def tree_digest(image: Image) -> str:
    """Return the digest of an image's inputs: base, dependencies, Dockerfile and flytemp's sources."""
    digest = hashlib.sha256(f"{BASE_IMAGE} {_dependencies_digest(image)}\n".encode())
    for path in _sources(image):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(image: Image) -> Iterator[Path]:
    yield image.dockerfile
    yield ROOT / "pyproject.toml"
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path


def _dependencies_digest(image: Image) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in image.extras.split(",") for line in project["optional-dependencies"][extra]),
    ]
    return hashlib.sha256("\n".join([PYTHON, *wanted]).encode()).hexdigest()[:16]


def _build(image: Image, digest: str, say: Say) -> Layout:
    """Return the layout that contains the image of this checkout as `<image>-<digest>`."""
    layout = Layout(_folder() / "layout")
    reference = f"{image.name}-{digest}"
    if reference in layout.references():
        return layout
    machine.require(machine.IMAGE_PACKAGES, say)
    dependencies = _make_dependencies(image, say)
    say(f"building the {image.name} image")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="context-") as temporary:
        _make_wheel(Path(temporary) / "dist", say)
        name = f"localhost/flytemp/{image.name}:{digest}"
        _buildah_build(image.dockerfile, Path(temporary), name, f"--build-arg=DEPENDENCIES={dependencies}")
    # Uncompressed, so that existing layers are not read again.
    source = f"containers-storage:[{_driver()}@{_storage()}+{_folder() / 'run'}]{name}"
    machine.run("skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers", source, f"oci:{layout.folder}:{reference}")
    _forget_old(image, layout)
    return layout


def _make_dependencies(image: Image, say: Say) -> str:
    """Return the name of the image's second stage, with dependencies but without flytemp; build it if they changed."""
    digest = hashlib.sha256(f"{BASE_IMAGE} {_dependencies_digest(image)}\n".encode() + image.dockerfile.read_bytes()).hexdigest()[
        :16
    ]
    name = f"localhost/flytemp-testcluster/{image.name}-dependencies:{digest}"
    if _is_stored(name):
        return name
    _make_base(say)
    wheels = _dependency_wheels(image, say)
    say(f"building the {image.name} image's dependencies")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="context-") as temporary:
        shutil.copytree(wheels, Path(temporary) / "wheels", copy_function=os.link)
        _buildah_build(image.dockerfile, Path(temporary), name, "--target=dependencies")
    repository = name.rpartition(":")[0]
    for older in _buildah("images", "--format", "{{.Name}}:{{.Tag}}", "--filter", f"reference={repository}").split():
        if older != name:
            _buildah("rmi", "--force", older)
    return name


def _make_base(say: Say) -> None:
    """Build a Debian base image with Python, in place of the public Python image."""
    if _is_stored(BASE_IMAGE):
        return
    say("making the base image with mmdebstrap")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="base-") as temporary:
        tree = Path(temporary) / "base.tar"
        machine.run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", DEBIAN, str(tree))
        (Path(temporary) / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        _buildah("build", "--isolation=chroot", f"--tag={BASE_IMAGE}", temporary)


def _dependency_wheels(image: Image, say: Say) -> Path:
    """Build the wheels of the dependencies of flytemp with the image's extras, for the base's Python."""
    folder = _folder() / f"wheels-{image.name}-{_dependencies_digest(image)}"
    if folder.is_dir():
        return folder
    say(f"downloading the wheels of flytemp[{image.extras}]")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="download-") as temporary:
        wheel = _make_wheel(Path(temporary) / "dist", say)
        wheels = Path(temporary) / "wheels"
        _pip("download", "-q", *_target(), f"--dest={wheels}", f"{wheel}[{image.extras}]")
        (wheels / wheel.name).unlink()
        for older in _folder().glob(f"wheels-{image.name}-*"):
            shutil.rmtree(older)
        wheels.rename(folder)
    return folder


def _make_wheel(folder: Path, say: Say) -> Path:
    """Build flytemp's wheel from the checkout."""
    builder = _folder() / "builder"
    if not (builder / "complete").exists():
        say("preparing the builder of wheels")
        machine.run(sys.executable, "-m", "venv", "--clear", str(builder))
        requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
        _pip("install", "-q", *requires)
        (builder / "complete").touch()
    _pip("wheel", "-q", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT))
    return next(folder.glob("flytemp-*.whl"))


def _forget_old(image: Image, layout: Layout) -> None:
    """Keep only the newest versions of an image."""
    ours = [reference for reference in layout.references() if reference.startswith(f"{image.name}-")]
    old = set(ours[:-KEPT])
    if old:
        layout.keep(lambda reference: reference not in old)
    for reference in old:
        name = f"localhost/flytemp/{image.name}:{reference.rpartition('-')[2]}"
        if _is_stored(name):
            _buildah("rmi", "--force", name)


def _pip(*arguments: str) -> None:
    machine.run(str(_folder() / "builder" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments)


def _is_stored(name: str) -> bool:
    """Return whether buildah has an image with this full name."""
    return bool(_buildah("images", "--quiet", "--filter", f"reference={name}").strip())


def _buildah_build(dockerfile: Path, context: Path, name: str, *options: str) -> None:
    # Without --layers, because each step to keep has its own image.
    arguments = ("--isolation=chroot", "--pull-never", f"--build-arg=BASE={BASE_IMAGE}")
    _buildah("build", *arguments, *options, f"--file={dockerfile}", f"--tag={name}", str(context))


def _buildah(command: str, *arguments: str) -> str:
    """Run buildah with a separate storage in the cache."""
    places = (f"--root={_storage()}", f"--runroot={_folder() / 'run'}", f"--storage-driver={_driver()}")
    done = subprocess.run(
        ["buildah", *places, command, *arguments],
        env={"PATH": machine.PATH, "HOME": str(_folder()), "TMPDIR": str(_folder())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"buildah {command}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _driver() -> str:
    return "vfs" if node.snapshotter(_folder()) == "native" else "overlay"


def _storage() -> Path:
    return _folder() / "storage"


def _folder() -> Path:
    folder = builds.cache_folder() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


DIGITS_DOCKERFILE = DOCKERFILES / "digits" / "Dockerfile"
DIGITS_LIBRARIES = ("scikit-learn", "matplotlib")


def digits_image(cluster: KubernetesAccess, say: Say = say_on_stderr) -> str:
    """Return the name of the task image with the libraries of examples/digits; build and import it if necessary."""
    if given := os.environ.get("FLYTEMP_TEST_DIGITS_IMAGE"):
        return given
    task = task_image(cluster, say)
    if not isinstance(cluster, Cluster):
        raise Unavailable("images can't be imported into this cluster: push one and set FLYTEMP_TEST_DIGITS_IMAGE to its name")
    libraries = _wanted_by_digits()
    digest = hashlib.sha256(f"{task} {libraries}\n".encode() + DIGITS_DOCKERFILE.read_bytes()).hexdigest()[:16]
    name = f"localhost/flytemp/digits:{digest}"
    with builds.locked(_folder() / "lock", say):
        if not cluster.has_image(name):
            layout, reference = Layout(_folder() / "layout"), f"digits-{digest}"
            if reference not in layout.references():
                _build_digits(task, name, reference, libraries, say)
            with tempfile.TemporaryDirectory(dir=_folder(), prefix="import-") as temporary:
                archive = Path(temporary) / "image.tar"
                layout.write_archive(reference, name, archive, cluster.image_content())
                cluster.load_image(archive)
    return name


def _wanted_by_digits() -> list[str]:
    """Return the requirements of flytemp[examples] that the pipeline imports."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["examples"]
    return [line for line in wanted if line.startswith(DIGITS_LIBRARIES)]


def _build_digits(task: str, name: str, reference: str, libraries: list[str], say: Say) -> None:
    _restore(task, say)
    wheels = _digits_wheels(libraries, say)
    say("building the digits image")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="context-") as temporary:
        shutil.copytree(wheels, Path(temporary) / "wheels", copy_function=os.link)
        _buildah_build(DIGITS_DOCKERFILE, Path(temporary), name, f"--build-arg=TASK={task}")
    layout = Layout(_folder() / "layout")
    source = f"containers-storage:[{_driver()}@{_storage()}+{_folder() / 'run'}]{name}"
    machine.run("skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers", source, f"oci:{layout.folder}:{reference}")
    _forget_old(Image("digits", "examples", "FLYTEMP_TEST_DIGITS_IMAGE"), layout)


def _restore(task: str, say: Say) -> None:
    """Import the task image into buildah again if images of other checkouts have replaced it."""
    if _is_stored(task):
        return
    digest, layout = task.rpartition(":")[2], Layout(_folder() / "layout")
    if f"{TASK.name}-{digest}" not in layout.references():
        _build(TASK, digest, say)
        return
    target = f"containers-storage:[{_driver()}@{_storage()}+{_folder() / 'run'}]{task}"
    machine.run("skopeo", "copy", "--quiet", f"oci:{layout.folder}:{TASK.name}-{digest}", target)


def _digits_wheels(libraries: list[str], say: Say) -> Path:
    """Build the wheels of the pipeline's libraries that the task image lacks, for the base's Python."""
    digest = hashlib.sha256("\n".join([PYTHON, *libraries]).encode()).hexdigest()[:16]
    folder = _folder() / f"wheels-digits-{digest}"
    if folder.is_dir():
        return folder
    say(f"downloading the wheels of {', '.join(libraries)}")
    with tempfile.TemporaryDirectory(dir=_folder(), prefix="download-") as temporary:
        wheels = Path(temporary) / "wheels"
        _pip("download", "-q", *_target(), f"--dest={wheels}", *libraries)
        for older in _folder().glob("wheels-digits-*"):
            shutil.rmtree(older)
        wheels.rename(folder)
    return folder


def _target() -> list[str]:
    """Return pip's options for wheels for the image, independent of this machine's Python and system library."""
    platforms = [f"--platform=manylinux_2_{minor}_{os.uname().machine}" for minor in (36, 34, 31, 28, 27, 24, 17, 12, 5)]
    platforms += [f"--platform=manylinux2014_{os.uname().machine}"]
    return [f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:", *platforms]
