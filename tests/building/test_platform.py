"""Which wheels FC's runtimes load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.project.requirements import read_requirements
from fc_callback.project.wheels import TargetPlatform, incompatible_wheels

if TYPE_CHECKING:
    from pathlib import Path

TARGET = TargetPlatform(python=(3, 10), glibc=(2, 28))


@pytest.mark.parametrize(
    ("runtime", "python", "glibc"),
    [
        ("python3.10", (3, 10), (2, 28)),
        ("python3.12", (3, 12), (2, 31)),
        ("custom.debian10", (3, 10), (2, 28)),
        ("custom.debian11", (3, 12), (2, 31)),
        ("custom.debian12", (3, 11), (2, 36)),
    ],
)
def test_a_runtime_is_a_target(runtime: str, python: tuple[int, int], glibc: tuple[int, int]) -> None:
    assert TargetPlatform.of_runtime(runtime) == TargetPlatform(python=python, glibc=glibc)


@pytest.mark.parametrize(
    ("tag", "takes"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("cp310-cp310-manylinux2014_x86_64", True),
        ("cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("cp310-cp310-manylinux_2_28_x86_64", True),
        ("cp310-cp310-manylinux_2_31_x86_64", False),
        ("cp37-abi3-manylinux2014_x86_64", True),
        ("cp311-abi3-manylinux2014_x86_64", False),
        ("cp311-cp311-manylinux2014_x86_64", False),
        ("cp310-cp310-manylinux2014_aarch64", False),
        ("cp310-cp310-musllinux_1_1_x86_64", False),
        ("cp310-cp310-macosx_11_0_arm64", False),
        ("cp310-cp310-win_amd64", False),
        ("pp310-pypy310_pp73-manylinux2014_x86_64", False),
        ("py310-none-any", True),
        ("py312-none-any", False),
    ],
)
def test_a_tag_is_taken_or_not(tag: str, takes: bool) -> None:
    assert TARGET.loads(tag) is takes


@pytest.mark.parametrize("runtime", ["python3.9", "python3.11", "custom", "custom-container", "nodejs20", ""])
def test_other_runtimes_are_no_target(runtime: str) -> None:
    assert TargetPlatform.of_runtime(runtime) is None


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("_x.cpython-310-x86_64-linux-gnu.so", False),
        ("_x.abi3.so", False),
        ("_x.so", False),
        ("_x.cpython-312-x86_64-linux-gnu.so", True),
        ("_x.cpython-310-aarch64-linux-gnu.so", True),
        ("_x.cpython-310-darwin.so", True),
        ("_x.cp310-win_amd64.pyd", True),
    ],
)
def test_a_compiled_module_without_metadata_is_known_by_its_name(tmp_path: Path, name: str, foreign: bool) -> None:
    (tmp_path / name).write_bytes(b"")

    assert bool(list(incompatible_wheels(tmp_path, TARGET))) is foreign


def test_requirements_are_read_with_extras_and_what_they_include(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("PyYAML>=6\n")
    (tmp_path / "requirements.txt").write_text(
        "# ours\n-r base.txt\nfc_callback[Seal, redis]>=0.1 # why\n\n--no-index\n"
    )

    read = read_requirements(tmp_path, tmp_path, TARGET.marker_environment)

    assert {one.name: one.extras for one in read.named} == {"PyYAML": set(), "fc_callback": {"Seal", "redis"}}


def test_what_a_required_package_needs_is_covered(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("pydantic\n")

    read = read_requirements(tmp_path, tmp_path, TARGET.marker_environment)

    assert read.covers("pydantic-core")
    assert not read.covers("requests")
    assert read.provider("yaml") == "pyyaml"
