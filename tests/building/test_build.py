"""`fc-callback build`: the wheels of the function's platform beside its code, or a loud no."""

from __future__ import annotations

import importlib.util
import io
import json
import marshal
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fc_callback.building import BuildError, build_project
from fc_callback.building.package import STAMP_FILE, compile_package
from fc_callback.cli.app import app
from fc_callback.errors import SettingsError
from tests.building.wheels import MANIFEST, make_project, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

LINUX = "manylinux2014_x86_64"

pytestmark = pytest.mark.usefixtures("installer")
both = pytest.mark.parametrize("installer", ["uv", "pip"], indirect=True)


@both
@pytest.mark.parametrize(("runtime", "abi"), [("python3.10", "cp310"), ("python3.12", "cp312")])
def test_compiled_dependencies_are_those_of_the_functions_python_and_linux(
    index: Path, tmp_path: Path, runtime: str, abi: str
) -> None:
    for tag in (
        f"cp310-cp310-{LINUX}",
        f"cp312-cp312-{LINUX}",
        "cp310-cp310-macosx_11_0_arm64",
        "cp312-cp312-win_amd64",
    ):
        make_wheel(index, "native", tag=tag)
    project = make_project(tmp_path / "project", "native\n", runtime=runtime)

    build_project(project)

    assert (project / "code" / "python" / "native" / "__init__.py").read_text() == f"TAG = '{abi}-{abi}-{LINUX}'\n"


@both
@pytest.mark.parametrize(
    "tag", ["cp310-cp310-macosx_11_0_arm64", f"cp311-cp311-{LINUX}", "cp310-cp310-manylinux_2_34_x86_64"]
)
def test_a_dependency_without_a_wheel_for_the_platform_is_named_and_the_old_package_stays(
    index: Path, tmp_path: Path, tag: str
) -> None:
    make_wheel(index, "native", tag=tag)
    project = make_project(tmp_path / "project", "native\n")
    old = project / "code" / "python" / "old.py"
    (old.parent / "old-1.0.dist-info").mkdir(parents=True)
    old.write_text("x = 1\n")

    with pytest.raises(BuildError, match="native has no wheel"):
        build_project(project)

    assert old.is_file()
    assert sorted(path.name for path in project.iterdir()) == ["code", "s.yaml"]


@both
def test_a_newer_glibc_is_taken_as_far_as_the_runtime_has_it(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "native", tag="cp310-cp310-manylinux_2_28_x86_64")
    project = make_project(tmp_path / "project", "native\n")

    build_project(project)

    assert (project / "code" / "python" / "native").is_dir()


@both
@pytest.mark.parametrize(("runtime", "kept"), [("python3.10", "older"), ("python3.12", "newer")])
def test_a_marker_is_that_of_the_functions_python_in_requirements_and_what_they_need(
    index: Path, tmp_path: Path, runtime: str, kept: str
) -> None:
    for name in ("older", "newer", "deep_older", "deep_newer", "both"):
        make_wheel(index, name)
    make_wheel(
        index, "deepest", requires=("deep-older; python_version < '3.12'", "deep-newer; python_version >= '3.12'")
    )
    make_wheel(index, "middle", requires=("deepest; extra == 'a' or extra == 'b'",))
    lines = (
        "older; python_version < '3.12'\nnewer; python_version >= '3.12'\nmiddle[b]\nboth; sys_platform == 'linux'\n"
    )
    project = make_project(tmp_path / "project", lines, runtime=runtime)

    build_project(project)

    held = {path.name for path in (project / "code" / "python").iterdir() if path.suffix != ".dist-info"}
    assert {kept, f"deep_{kept}", "deepest", "middle", "both"} <= held
    assert not held & ({"older", "newer"} - {kept})


@both
def test_what_the_target_alone_needs_comes_from_where_the_requirements_say(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    make_wheel(index, "old_only")
    make_wheel(index, "top", requires=("old-only; python_version < '3.11'",))
    project = make_project(tmp_path / "project", f"--find-links {index}\ntop\n", runtime="python3.10")

    build_project(project)

    assert (project / "code" / "python" / "old_only").is_dir()


@both
def test_what_the_target_alone_needs_keeps_the_versions_that_are_there(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "shared", version="1.0")
    make_wheel(index, "shared", version="2.0")
    make_wheel(index, "old_only", requires=("shared>=1",))
    make_wheel(index, "top", requires=("shared<2", "old-only; python_version < '3.11'"))
    project = make_project(tmp_path / "project", "top\n", runtime="python3.10")

    build_project(project)

    names = {path.name for path in (project / "code" / "python").glob("*.dist-info")}
    assert names == {"top-1.0.dist-info", "shared-1.0.dist-info", "old_only-1.0.dist-info"}


def test_what_a_function_never_reads_is_left_out(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "typed", files={"typed/__init__.pyi": "", "typed/py.typed": "", "typed/data.json": "{}"})
    project = make_project(tmp_path / "project", "typed\n")

    build_project(project)

    held = {path.name for path in (project / "code" / "python").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert held == {"__init__.py", "data.json", "METADATA", "WHEEL", "LICENSE", STAMP_FILE}


def test_the_rooms_of_this_package_that_only_people_use_are_left_out(index: Path, tmp_path: Path) -> None:
    rooms = {f"fc_callback/{room}/__init__.py": "" for room in ("local", "testing", "checking", "flows", "idempotency")}
    make_wheel(index, "fc_callback", files=rooms)
    project = make_project(tmp_path / "project", "fc-callback\n")

    build_project(project)

    folders = {path.name for path in (project / "code" / "python" / "fc_callback").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == {"idempotency"}


def test_a_dependency_that_is_not_required_any_more_is_gone(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    make_wheel(index, "two")
    project = make_project(tmp_path / "project", "one\n")
    build_project(project)
    (project / "code" / "requirements.txt").write_text("two\n")

    build_project(project)

    assert not (project / "code" / "python" / "one").exists()
    assert (project / "code" / "python" / "two").is_dir()


def test_bytecode_is_trusted_without_a_look_at_dates(tmp_path: Path) -> None:
    staged = tmp_path / "python"
    (staged / "pack").mkdir(parents=True)
    (staged / "pack" / "__init__.py").write_text("def where(): ...\n")

    compile_package(staged, sys.executable)

    (cached,) = staged.rglob("*.pyc")
    content = cached.read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == 0b01  # PEP 552: by hash, never checked against the source
    assert marshal.loads(content[16:]).co_filename == "/code/python/pack/__init__.py"


def test_another_python_makes_no_bytecode_and_says_so(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "pure")
    other = "python3.10" if sys.version_info[:2] == (3, 12) else "python3.12"
    project = make_project(tmp_path / "project", "pure\n", runtime=other)
    said: list[str] = []

    (built,) = build_project(project, on_progress=said.append)

    assert not built.compiled
    assert not list((project / "code").rglob("*.pyc"))
    assert any("Not byte-compiled" in line for line in said)


@both
def test_a_wheel_of_ones_own_takes_the_place_of_the_released_package(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "fc_callback", version="9.9")
    mine = make_wheel(tmp_path / "mine", "fc_callback", version="0.1.dev5")
    project = make_project(tmp_path / "project", "fc-callback>=0.1\n")

    build_project(project, fc_callback=str(mine))

    assert (project / "code" / "python" / "fc_callback-0.1.dev5.dist-info").is_dir()
    assert (project / "code" / "requirements.txt").read_text() == "fc-callback>=0.1\n"


def test_a_wheel_that_is_not_there_is_said(index: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "fc-callback\n")

    with pytest.raises(SettingsError, match="neither a wheel nor a source tree"):
        build_project(project, fc_callback=str(index / "no.whl"))


def test_functions_of_two_pythons_cannot_share_a_directory(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "x\n")
    second = MANIFEST.format(runtime="python3.12").partition("resources:\n")[2].replace("function:", "second:")
    (project / "s.yaml").write_text(MANIFEST.format(runtime="python3.10") + second)

    with pytest.raises(BuildError, match="share one code directory"):
        build_project(project)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "no s.yaml"),
        ("edition: 3.0.0\nresources: {}\n", "no resource of the component fc3"),
        (MANIFEST.format(runtime="python3.9"), "does not run on python3.9"),
        (MANIFEST.format(runtime="python3.10").replace("./code", "./cod"), "code directory of packed does not exist"),
    ],
)
def test_what_cannot_be_built_is_said(tmp_path: Path, manifest: str | None, said: str) -> None:
    project = make_project(tmp_path / "project", "x\n")
    (project / "s.yaml").unlink() if manifest is None else (project / "s.yaml").write_text(manifest)

    with pytest.raises(BuildError, match=said):
        build_project(project)


def test_an_image_brings_its_own_python(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", None, runtime="custom-container")
    said: list[str] = []

    assert build_project(project, on_progress=said.append) == []
    assert "brings its own Python" in said[0]


def test_the_size_is_that_of_the_zip_and_names_what_makes_it(index: Path, tmp_path: Path) -> None:
    noise = "".join(f"{(7**n) % (10**40)}\n" for n in range(3000))
    make_wheel(index, "large", files={"large/data.txt": noise})
    make_wheel(index, "small")
    project = make_project(tmp_path / "project", "large\nsmall\n")

    (built,) = build_project(project)

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in (project / "code").rglob("*"):
            archive.write(path, path.relative_to(project / "code"))
    assert built.measure().parts[0].name == "python/large"
    assert abs(built.measure().packed - len(packed.getvalue())) < 0.05 * len(packed.getvalue())


def test_the_command_tells_the_size_and_as_json_too(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "pure")
    project = make_project(tmp_path / "project", "pure\n")

    shown = CliRunner().invoke(app, ["build", str(project)])
    told = CliRunner().invoke(app, ["build", str(project), "--json"])

    assert "python/pure" in shown.output
    assert json.loads(told.stdout)[0]["parts"][0]["name"].startswith("python/pure")


def test_the_command_fails_with_the_name_of_what_has_no_wheel(index: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "nowhere\n")

    result = CliRunner().invoke(app, ["build", str(project)])

    assert index.is_dir()
    assert (result.exit_code, "nowhere" in result.output) == (1, True)
