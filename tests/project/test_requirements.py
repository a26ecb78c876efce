"""Requirements hold for the function's Python and platform, whatever machine reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.project.requirements import (
    applicable,
    closure,
    parse_requirement,
    read_requirements,
    text_for_target,
    with_own_source,
)
from fc_callback.project.wheels import TargetPlatform

if TYPE_CHECKING:
    from pathlib import Path

PYTHON_310 = TargetPlatform(python=(3, 10), glibc=(2, 28)).marker_environment
PYTHON_312 = TargetPlatform(python=(3, 12), glibc=(2, 31)).marker_environment


@pytest.mark.parametrize(
    ("line", "on_310", "on_312"),
    [
        ("x; python_version < '3.11'", True, False),
        ("x; python_version >= '3.11'", False, True),
        ("x; python_version in '3.12 3.13'", False, True),
        ("x; sys_platform == 'win32' or python_full_version < '3.11.0a7'", True, False),
        ("x; platform_machine == 'arm64'", False, False),
        ("x; sys_platform == 'linux' and os_name == 'posix' and platform_machine == 'x86_64'", True, True),
        ("x[extra]>=1,<2 ; implementation_name == 'cpython'", True, True),
        ("x @ https://example.org/x-1.0.zip ; python_version < '3.11'", True, False),
        ("./wheels/x-1.0-py3-none-any.whl ; python_version < '3.11'", True, False),
        ("x==1.0; python_version < '3.11' --hash=sha256:00", True, False),
        ("x; os_name ~= 'posix'", True, True),
    ],
)
def test_a_marker_holds_for_the_functions_python(line: str, on_310: bool, on_312: bool) -> None:
    assert [one.name for one in applicable([line], PYTHON_310)] == ["x"] * on_310
    assert [one.name for one in applicable([line], PYTHON_312)] == ["x"] * on_312


@pytest.mark.parametrize("marker", ['extra == "a" or extra == "b"', '(extra == "b") or extra == "A"', 'extra in "a b"'])
def test_an_extra_among_alternatives_brings_its_packages(marker: str) -> None:
    metadata = {"x": [f"needed; {marker}", "other; extra == 'c'"]}
    named = list(applicable(["x[a]"], PYTHON_310))

    assert set(closure(named, PYTHON_310, lambda name: metadata.get(name, []))) == {"x", "needed"}


def test_needs_that_go_in_a_circle_end() -> None:
    metadata = {"x": ["y[more]"], "y": ["x", "Z.z; extra == 'more'", "never; python_version >= '3.11'"], "z-z": ["x"]}

    assert set(closure(applicable(["x"], PYTHON_310), PYTHON_310, lambda name: metadata.get(name, []))) == {
        *("x", "y", "z-z")
    }


@pytest.mark.parametrize("line", ["", "# x", "-r other.txt", "--index-url https://example.org", "./folder", "x y z"])
def test_a_line_that_names_no_distribution_is_none(line: str) -> None:
    assert parse_requirement(line) is None


def test_files_that_include_each_other_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r other.txt\none\n")
    (tmp_path / "other.txt").write_text("-r requirements.txt\ntwo \\\n  >= 2\n-r gone.txt\n")

    read = read_requirements(tmp_path, tmp_path, PYTHON_310)

    assert [str(one) for one in read.named] == ["two>=2", "one"]


def test_a_requirements_file_for_another_python_has_its_markers_resolved(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text(
        "--index-url https://example.org/simple\n-c constraints.txt\n-r more/other.txt\n"
        "old==1.0 ; python_version < '3.11' --hash=sha256:00\nnew; python_version >= '3.11'  # why\n./x-1.0-py3-none-any.whl\n"
    )
    (tmp_path / "more" / "other.txt").write_text("../y-1.0-py3-none-any.whl\nplain>=2\n")

    assert text_for_target(tmp_path / "requirements.txt", PYTHON_310).splitlines() == [
        "--index-url https://example.org/simple",
        f"-c {tmp_path}/constraints.txt",
        f"{tmp_path}/more/../y-1.0-py3-none-any.whl",
        "plain>=2",
        "old==1.0 --hash=sha256:00",
        f"{tmp_path}/x-1.0-py3-none-any.whl",
    ]


def test_another_source_of_this_package_keeps_extras_markers_and_all_other_lines() -> None:
    text = "# fc-callback\nFC_callback[seal, redis]>=0.1; python_version > '3.9' # ours\nfc-callback-more\n  fc-callback\nx"

    assert with_own_source(text, "https://example.org/w.whl").splitlines() == [
        "# fc-callback",
        'fc-callback[redis,seal] @ https://example.org/w.whl ; python_version > "3.9"',
        "fc-callback-more",
        "fc-callback @ https://example.org/w.whl",
        "x",
    ]
