"""Requirements hold for the function's Python and platform, whatever machine reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.project.requirement_files import applicable, is_source, parse_requirement, read_requirements_file
from fc_callback.project.requirements import closure, read_requirements, with_own_source
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
    (tmp_path / "other.txt").write_text("-r requirements.txt\ntwo \\\n  >= 2\n")

    read = read_requirements(tmp_path, tmp_path, PYTHON_310)

    assert [str(one) for one in read.named] == ["two>=2", "one"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-r gone.txt", "includes gone.txt, which does not exist"),
        ("--constraint=gone.txt", "includes gone.txt, which does not exist"),
        ("./gone", "names ./gone, which does not exist"),
        ("-e ../gone[extra]", "names ../gone, which does not exist"),
        ("gone-1.0.tar.gz", "names gone-1.0.tar.gz, which does not exist"),
    ],
)
def test_what_a_requirements_file_names_and_is_not_there_is_said(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"{line}\n")

    (problem,) = read_requirements_file(tmp_path / "requirements.txt", PYTHON_310).problems

    assert said in problem


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"x\xff\n")

    assert read_requirements_file(tmp_path / "requirements.txt", PYTHON_310).problems == (
        "requirements.txt cannot be read: it is not UTF-8.",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_that_shells_write(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "requirements.txt").write_bytes("first\r\nsecond\r\n".encode(encoding))

    assert read_requirements_file(tmp_path / "requirements.txt", PYTHON_310).lines == ("first", "second")


def test_a_requirements_file_for_another_python_has_its_markers_resolved(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("x-1.0-py3-none-any.whl", "y-1.0-py3-none-any.whl", "constraints.txt", "lib", "wheels"):
        (tmp_path / name).mkdir() if name in {"lib", "wheels"} else (tmp_path / name).touch()
    (tmp_path / "constraints.txt").write_text("old<2 ; python_version < '3.11'\nold<3 ; python_version >= '3.11'\n")
    (tmp_path / "requirements.txt").write_text(
        "--index-url https://example.org/simple\n-c constraints.txt\n-r more/other.txt\n-r https://example.org/r.txt\n"
        "--find-links wheels\n-f https://example.org/wheels\n-e ./lib[more]\n./lib ; python_version >= '3.11'\n"
        "old==1.0 ; python_version < '3.11' --hash=sha256:00\nnew; python_version >= '3.11'  # why\n./x-1.0-py3-none-any.whl\n"
        "-e git+https://example.org/r.git@1#egg=r\nz @ https://example.org/z.zip ; python_version < '3.11'\n"
    )
    (tmp_path / "more" / "other.txt").write_text("../y-1.0-py3-none-any.whl\nplain>=2\n")

    read = read_requirements_file(tmp_path / "requirements.txt", PYTHON_310)

    assert read.lines == (
        "--index-url https://example.org/simple",
        f"{tmp_path}/y-1.0-py3-none-any.whl",
        "plain>=2",
        "-r https://example.org/r.txt",
        f"--find-links {tmp_path}/wheels",
        "--find-links https://example.org/wheels",
        f"{tmp_path}/lib[more]",
        "old==1.0 --hash=sha256:00",
        f"{tmp_path}/x-1.0-py3-none-any.whl",
        "git+https://example.org/r.git@1#egg=r",
        "z @ https://example.org/z.zip",
    )
    assert (read.constraints, read.problems) == (("old<2",), ())


@pytest.mark.parametrize(
    ("line", "built"),
    [
        ("/p/lib", True),
        ("/p/lib[more]", True),
        ("/p/x-1.0.tar.gz", True),
        ("/p/x-1.0-py3-none-any.whl", False),
        ("fc-callback[seal] @ file:///p/lib", True),
        ("x @ file:///p/x-1.0-py3-none-any.whl", False),
        ("git+https://example.org/r.git@1#egg=r", True),
        ("git+ssh://git@example.org/r.git", True),
        ("x @ https://example.org/x.zip", True),
        ("https://example.org/x-1.0-py3-none-any.whl#sha256=00", False),
        ("x[a]>=1 --hash=sha256:00", False),
        ("--index-url https://example.org/simple", False),
    ],
)
def test_what_must_be_built_is_known_by_its_line(line: str, built: bool) -> None:
    assert is_source(line) is built


def test_a_local_package_is_known_by_the_name_in_its_pyproject(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pyproject.toml").write_text("[project]\nname = 'My.Lib'\n")
    (tmp_path / "requirements.txt").write_text("-e ./lib\n")

    assert read_requirements(tmp_path, tmp_path, PYTHON_310).covers("my-lib")


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (("requirements.txt", "uv.lock", "pyproject.toml"), "requirements.txt"),
        (("uv.lock", "poetry.lock", "pyproject.toml"), "uv.lock"),
        (("poetry.lock", "pyproject.toml"), "poetry.lock"),
        (("pyproject.toml",), "pyproject.toml"),
        (("uv.lock",), "requirements.txt"),
        (("code/pyproject.toml", "requirements.txt"), "code/pyproject.toml"),
    ],
)
def test_the_most_exact_file_is_read_and_the_codes_own_before_the_projects(
    tmp_path: Path, files: tuple[str, ...], chosen: str
) -> None:
    (tmp_path / "code").mkdir()
    for name in files:
        (tmp_path / name).write_text("[project]\nname = 'x'\n" if name.endswith("pyproject.toml") else "")

    read = read_requirements(tmp_path / "code", tmp_path, PYTHON_310)
    assert read.file == chosen
    assert read.file_to_edit == ("pyproject.toml" if chosen.endswith(".lock") else chosen)


def test_a_pyproject_that_configures_tools_only_names_no_requirements(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")

    assert read_requirements(tmp_path, tmp_path, PYTHON_310).path is None


def test_another_source_of_this_package_keeps_extras_markers_and_all_other_lines() -> None:
    text = "# fc-callback\nFC_callback[seal, redis]>=0.1; python_version > '3.9' # ours\nfc-callback-more\n  fc-callback\nx"

    assert with_own_source(text, "https://example.org/w.whl").splitlines() == [
        "# fc-callback",
        'fc-callback[redis,seal] @ https://example.org/w.whl ; python_version > "3.9"',
        "fc-callback-more",
        "fc-callback @ https://example.org/w.whl",
        "x",
    ]
