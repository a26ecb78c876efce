"""The table of FC's runtimes says what the documentation and fc3 say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fc_callback.checking.properties import runtimes as runtimes_of_fc3
from fc_callback.runtime.contexts import make_context
from fc_callback.runtime.runtimes import OLDEST_PYTHON, PROFILES, RUNTIMES


def test_every_runtime_of_the_table_is_one_that_fc3_deploys() -> None:
    assert set(RUNTIMES) <= set(runtimes_of_fc3())
    assert all(key == runtime.id for key, runtime in RUNTIMES.items())


def test_no_python_runtime_of_fc3_is_missing_but_python_2() -> None:
    named = {name for name in runtimes_of_fc3() if name.startswith(("python", "custom"))}

    assert named - set(RUNTIMES) == {"python2.7"}


def test_only_a_runtime_with_an_old_python_is_called_old() -> None:
    for runtime in RUNTIMES.values():
        assert (runtime.state == "old") is not runtime.runs_fc_callback
        assert runtime.python is None or runtime.runs_fc_callback is (runtime.python >= OLDEST_PYTHON)


@pytest.mark.parametrize("name", ["custom.debian10", "custom.debian11"])
def test_a_start_command_finds_the_documented_python_first(name: str) -> None:
    runtime = RUNTIMES[name]
    assert runtime.python is not None

    assert runtime.path == "/var/fc/lang/python{}.{}/bin".format(*runtime.python)
    assert runtime.path_line is not None
    assert runtime.path_line.split(":")[0] == runtime.path


def test_debian_12_needs_no_path_because_its_own_python_is_new_enough() -> None:
    assert (RUNTIMES["custom.debian12"].path, RUNTIMES["custom.debian12"].path_line) == ("/usr/bin", None)


def test_one_debian_release_has_one_glibc() -> None:
    pairs = {(runtime.debian, runtime.glibc) for runtime in RUNTIMES.values()}

    assert len(pairs) == len({debian for debian, _ in pairs})


def test_a_context_can_be_made_for_every_profile() -> None:
    for profile in PROFILES:
        assert make_context(profile, region="cn-beijing").region == "cn-beijing"  # type: ignore[arg-type]  # the table's


@pytest.mark.parametrize("name", [name for name in RUNTIMES if name.startswith("custom.")])
def test_the_page_about_runtimes_says_what_the_table_says(name: str) -> None:
    runtime = RUNTIMES[name]
    assert runtime.python is not None
    page = (Path(__file__).parents[2] / "docs" / "runtimes.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))

    assert "| {}.{} |".format(*runtime.python) in row
    assert (runtime.path_line or "nothing") in row
