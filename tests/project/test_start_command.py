"""The start command of a custom runtime or a container, wherever a project has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.project import read_project
from fc_callback.project.start_command import StartCommand, start_command

if TYPE_CHECKING:
    from pathlib import Path

SERVE = '"fc-callback", "serve", "index.handler"'


def command_of(folder: Path, props: str, runtime: str = "custom.debian12") -> StartCommand | None:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(
        "edition: 3.0.0\nname: app\naccess: default\nresources:\n  one:\n    component: fc3\n    props:\n"
        f"      runtime: {runtime}\n      code: ./code\n      {props}\n"
    )
    (function,) = read_project(folder, environ={}).functions
    return start_command(function)


@pytest.mark.parametrize(
    "words",
    [
        "command: [fc-callback, serve, index.handler]",
        "command: [python3, -m, fc_callback, serve, index.handler]",
        "command: [/code/python/bin/fc-callback, serve, --threads, '4', index.handler, --initializer, index.begin]",
        "command: [fc-callback, serve, --threads=4, index.handler]",
        "command: [fc-callback], args: [serve, index.handler]",
        "entrypoint: [fc-callback, serve], args: [index.handler]",
        "command: [bash, -c, 'cd /code && exec python3 -m fc_callback serve index.handler']",
    ],
)
def test_the_handler_is_found_in_the_words_of_s_yaml(tmp_path: Path, words: str) -> None:
    found = command_of(tmp_path, f"customRuntimeConfig: {{{words}}}")

    assert found is not None
    assert (found.handler, found.file, found.line) == ("index.handler", "s.yaml", 10)


@pytest.mark.parametrize(
    "words",
    ["command: [gunicorn, 'index:application']", "command: [fc-callback, check]", "command: 5, args: x", "port: 9000"],
)
def test_another_command_serves_no_handler(tmp_path: Path, words: str) -> None:
    found = command_of(tmp_path, f"customRuntimeConfig: {{{words}}}")

    assert found is None or found.handler is None


def test_the_options_of_the_command_are_read(tmp_path: Path) -> None:
    found = command_of(
        tmp_path,
        "customRuntimeConfig: {command: [fc-callback, serve, a.b, --initializer, a.begin, --pre-stop=a.end]}",
    )

    assert found is not None
    assert [found.option(name) for name in ("--initializer", "--pre-stop", "--http")] == ["a.begin", "a.end", None]


def test_a_bootstrap_script_is_the_command_without_another_one(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "bootstrap").write_text("#!/bin/bash\nexec python3 -m fc_callback serve \\\n  index.handler\n")

    found = command_of(tmp_path, "timeout: 60")

    assert found is not None
    assert (found.handler, found.file, found.line, found.words[0]) == ("index.handler", "code/bootstrap", 2, "python3")


@pytest.mark.parametrize("content", [b"\x7fELF\x00\xff", b"", b"#!/bin/sh\necho 'an open quote\n", None])
def test_a_bootstrap_that_is_no_script_is_no_command(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "code").mkdir()
    if content is None:
        (tmp_path / "code" / "bootstrap").mkdir()
    else:
        (tmp_path / "code" / "bootstrap").write_bytes(content)

    assert command_of(tmp_path, "timeout: 60") is None


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        (f"FROM python\nCMD [{SERVE}]\n", 2),
        ("FROM python\nCMD fc-callback serve index.handler\n", 2),
        ('FROM python\nENTRYPOINT ["fc-callback", "serve"]\nCMD ["index.handler"]\n', 3),
        (f'FROM a AS build\nCMD ["other"]\nFROM b\nentrypoint [{SERVE}]\n', 4),
    ],
)
def test_the_command_of_a_dockerfile_is_that_of_its_last_stage(tmp_path: Path, dockerfile: str, line: int) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile)

    found = command_of(tmp_path, "timeout: 60", "custom-container")

    assert found is not None
    assert (found.handler, found.file, found.line) == ("index.handler", "Dockerfile", line)


def test_a_function_that_fc_calls_itself_has_no_start_command(tmp_path: Path) -> None:
    assert command_of(tmp_path, f"customRuntimeConfig: {{command: [{SERVE}]}}", "python3.12") is None
