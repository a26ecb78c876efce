"""The public names: adding or removing one is a decision, so this list says so."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import fc_callback

PUBLIC = [
    "BatchFailed",
    "CloudFlowClient",
    "CloudFlowError",
    "Credentials",
    "CredentialsNotFound",
    "FcCallbackError",
    "FcContext",
    "Logger",
    "NoRunningTask",
    "OutputError",
    "OutputTooLarge",
    "PayloadInvalid",
    "ReportResult",
    "ReportUndelivered",
    "RetryPolicy",
    "ServiceUnreachable",
    "SettingsError",
    "Task",
    "TaskAlreadyCompleted",
    "TaskFailed",
    "TaskToken",
    "TaskTokenNotFound",
    "TokenAmbiguous",
    "TokenSeal",
    "current_task",
    "event_parser",
    "initializer",
    "layers",
    "once",
    "task_callback",
]


def test_the_public_names_are_these() -> None:
    assert sorted(fc_callback.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_its_room_s_own(name: str) -> None:
    value = getattr(fc_callback, name)
    assert value is getattr(importlib.import_module(fc_callback._MODULES[name]), name)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_says_what_it_is(name: str) -> None:
    assert (getattr(fc_callback, name).__doc__ or "").strip()


def test_dir_lists_the_names() -> None:
    assert dir(fc_callback) == PUBLIC


def test_a_star_import_brings_them_all() -> None:
    code = f"from fc_callback import *; missing = set({PUBLIC!r}) - set(globals()); assert not missing, missing"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fc_callback' has no attribute 'task_calback'"):
        fc_callback.task_calback  # noqa: B018 - a typo on purpose


def test_the_version_is_the_distribution_s() -> None:
    from importlib.metadata import version

    assert fc_callback.__version__ == version("fc-callback")


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    from importlib.resources import files

    assert files("fc_callback").joinpath("py.typed").is_file()
