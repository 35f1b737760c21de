"""Image descriptions: accepted, named, stored."""

from __future__ import annotations

import pytest

from flytemp import ImageSpec, task
from flytemp.authoring.errors import SettingsError


def test_equal_descriptions_share_a_name_and_others_do_not() -> None:
    one, other = ImageSpec(name="train", packages=["numpy"]), ImageSpec(name="train", packages=["numpy"])

    assert one.image_name() == other.image_name()
    assert one.image_name().startswith("train:")
    assert one.with_packages("scipy").image_name() != one.image_name()
    named = ImageSpec(name="team/train", registry="registry.example.com/").image_name()
    assert named.startswith("registry.example.com/team/train:")


def test_a_tag_of_ones_own() -> None:
    assert ImageSpec(tag_format="v2-{spec_hash}").image_name().startswith("flytemp:v2-")
    with pytest.raises(SettingsError, match="spec_hash"):
        ImageSpec(tag_format="v2")


def test_a_text_where_a_list_belongs() -> None:
    with pytest.raises(SettingsError, match="packages of an ImageSpec must be a list"):
        ImageSpec(packages="numpy")


def test_a_task_stores_the_images_name() -> None:
    image = ImageSpec(name="train", packages=["numpy"], requirements="uv.lock")

    @task(container_image=image)
    def fit(x: int) -> int:
        return x

    assert fit.spec().settings.container_image == image.image_name()
    assert image.is_container()
