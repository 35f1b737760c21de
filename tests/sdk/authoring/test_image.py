"""Image descriptions and the names of their images."""

from __future__ import annotations

from flytemp import ImageSpec, task
from tests.messages.golden import check_golden, unlocated


def test_only_equal_descriptions_share_a_name() -> None:
    one, other = ImageSpec(name="train", packages=["numpy"]), ImageSpec(name="train", packages=["numpy"])

    assert one.image_name() == other.image_name()
    assert one.image_name().startswith("train:")
    assert one.with_packages("scipy").image_name() != one.image_name()
    named = ImageSpec(name="team/train", registry="registry.example.com/").image_name()
    assert named.startswith("registry.example.com/team/train:")


def test_a_custom_tag() -> None:
    assert ImageSpec(tag_format="v2-{spec_hash}").image_name().startswith("flytemp:v2-")


def test_invalid_descriptions_are_refused() -> None:
    cases = {
        "a tag without the hash": unlocated(lambda: ImageSpec(tag_format="v2")),
        "text as packages": unlocated(lambda: ImageSpec(packages="numpy")),
    }
    check_golden("images", cases)


def test_a_task_stores_the_images_name() -> None:
    image = ImageSpec(name="train", packages=["numpy"], requirements="uv.lock")

    @task(container_image=image)
    def fit(x: int) -> int:
        return x

    assert fit.spec().settings.container_image == image.image_name()
    assert image.is_container()
