"""The start command of a custom runtime is compared with the table of runtimes, where FC brings the Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.checking import check_project
from fc_callback.runtime.runtimes import RUNTIMES

if TYPE_CHECKING:
    from pathlib import Path

MODULE = ", -m, fc_callback, serve, index.handler]"
LANG_310, LANG_312 = "/var/fc/lang/python3.10/bin", "/var/fc/lang/python3.12/bin"


def said(folder: Path, runtime: str, command: str, path: str = "") -> list[str]:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "index.py").write_text("from fc_callback import task_callback\nhandler = task_callback(print)\n")
    variables = f"      environmentVariables: {{PATH: {path!r}}}\n" if path else ""
    (folder / "s.yaml").write_text(
        "edition: 3.0.0\nname: app\naccess: default\nresources:\n  one:\n    component: fc3\n    props:\n"
        f"      region: cn-hangzhou\n      functionName: one\n      runtime: {runtime}\n      code: ./code\n"
        f"      timeout: 60\n{variables}      customRuntimeConfig: {{command: {command}}}\n"
    )
    findings = check_project(folder, imports=False, environ={})
    return [f"{one.line}: {one.message} {one.hint}" for one in findings if one.rule == "start-command"]


@pytest.mark.parametrize(
    ("runtime", "command", "path"),
    [
        ("custom.debian10", f"[python3{MODULE}", f"{LANG_310}:/usr/local/bin:/usr/bin:/bin"),
        ("custom.debian10", f"[python3.10{MODULE}", LANG_310),
        ("custom.debian10", f"[{LANG_310}/python3{MODULE}", ""),
        ("custom.debian10", f"[python3{MODULE}", f"{LANG_312}:{LANG_310}"),
        ("custom.debian11", f"[python3{MODULE}", f"{LANG_312}/:/usr/bin"),
        ("custom.debian11", f"[python3{MODULE}", "/opt/python/bin:/usr/bin"),
        ("custom.debian11", f"[/opt/python3.13/bin/python3{MODULE}", ""),
        ("custom.debian11", f"[python3{MODULE}", f"/usr/local/bin/apache-maven/bin:{LANG_312}:/usr/bin"),
        ("custom.debian11", f"[python3{MODULE}", "/usr/local/ruby/bin:/opt/bin:/usr/bin"),
        ("custom.debian12", f"[python3{MODULE}", ""),
        ("custom.debian12", f"[python3.11{MODULE}", "/usr/local/bin:/usr/bin:/bin"),
        ("custom.debian12", f"[/usr/bin/python3{MODULE}", ""),
        ("custom", f"[/code/venv/bin/python3{MODULE}", ""),
        ("custom", "[./run]", ""),
        ("custom.debian11", "[bash, -c, 'PATH=/x:$PATH python3 -m fc_callback serve index.handler']", ""),
        ("custom.debian11", f"[fc-callback{MODULE.replace('-m, fc_callback, ', '')}", "/code/python/bin:/usr/bin"),
        ("custom.debian11", f"[\"${{env('PROGRAM', 'x')}}\"{MODULE}", ""),
    ],
)
def test_a_command_that_finds_a_new_python_or_one_that_is_not_of_fc_is_not_found(
    tmp_path: Path, runtime: str, command: str, path: str
) -> None:
    assert said(tmp_path, runtime, command, path) == []


@pytest.mark.parametrize(
    ("runtime", "command", "path", "says"),
    [
        ("custom", f"[python3{MODULE}", "", "is 3.7, and fc_callback needs 3.10. Use custom.debian10, custom.debian11"),
        ("custom.debian10", f"[python3{MODULE}", "", RUNTIMES["custom.debian10"].path_line),
        ("custom.debian11", f"[python3{MODULE}", "", RUNTIMES["custom.debian11"].path_line),
        ("custom.debian11", "[python3, index.py]", "", "PATH"),
        ("custom.debian11", "[python3, /code/index.py]", "", "PATH"),
        ("custom.debian11", f"[python3{MODULE}", f"/usr/bin:{LANG_312}", "PATH"),
        ("custom.debian11", f"[python3{MODULE}", LANG_310, "PATH"),
        ("custom.debian11", f"[/usr/bin/python3{MODULE}", "", f"Write `{LANG_312}/python3`"),
        ("custom.debian10", f"[{LANG_312}/python3{MODULE}", "", f"which is in {LANG_310}"),
        ("custom.debian10", f"[python3.12{MODULE}", LANG_310, "which is 3.10. Write `python3`"),
        ("custom.debian12", f"[python3.12{MODULE}", "", "which is 3.11. Write `python3`"),
        ("custom.debian12", "[fc-callback, serve, index.handler]", "", "python3 -m fc_callback serve"),
    ],
)
def test_a_command_that_finds_no_python_for_fc_callback_is_found(
    tmp_path: Path, runtime: str, command: str, path: str, says: str
) -> None:
    (found,) = said(tmp_path, runtime, command, path)

    assert says in found


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("exec python3 -m fc_callback serve index.handler", 1),
        ("export PATH=/opt/bin:$PATH\nexec python3 -m fc_callback serve index.handler", 0),
        (". venv/bin/activate\npython3 -m fc_callback serve index.handler", 0),
    ],
)
def test_a_bootstrap_script_is_judged_if_it_does_not_look_elsewhere(tmp_path: Path, script: str, count: int) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "bootstrap").write_text(f"#!/bin/bash\n{script}\n")
    said(tmp_path, "custom.debian11", "[x]")
    manifest = tmp_path / "s.yaml"
    manifest.write_text(manifest.read_text().replace("      customRuntimeConfig: {command: [x]}\n", ""))

    findings = check_project(tmp_path, imports=False, environ={})

    assert [(one.file, one.line) for one in findings if one.rule == "start-command"] == [("code/bootstrap", 2)] * count


@pytest.mark.parametrize("where", ["fc-callback", "bin/fc-callback"])
def test_a_program_of_the_package_is_not_judged(tmp_path: Path, where: str) -> None:
    assert len(said(tmp_path, "custom.debian12", "[fc-callback, serve, index.handler]")) == 1
    (tmp_path / "code" / where).parent.mkdir(exist_ok=True)
    (tmp_path / "code" / where).write_text("#!/usr/bin/python3\n")

    assert said(tmp_path, "custom.debian12", "[fc-callback, serve, index.handler]") == []


def test_a_command_of_another_program_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    assert said(tmp_path, "custom", "[./server, --port, '9000']") == []
    (tmp_path / "code" / "index.py").write_text("import http.server\n")
    manifest = tmp_path / "s.yaml"
    manifest.write_text(manifest.read_text().replace("[./server, --port, '9000']", "[python3, index.py]"))

    assert [one for one in check_project(tmp_path, imports=False, environ={}) if one.rule == "start-command"] == []


def test_the_handler_of_a_start_command_is_imported(tmp_path: Path) -> None:
    said(tmp_path, "custom.debian12", "[python3, -m, fc_callback, serve, --threads, '4', index.gone]")

    (found,) = [one for one in check_project(tmp_path, environ={}) if one.rule == "handler-import"]

    assert "index.gone" in found.message
