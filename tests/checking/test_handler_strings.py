"""The check finds the handler strings that FC's loader refuses, and only those: the loader of `invoke` is asked as well."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.checking.handler_strings import refusal
from fc_callback.runtime import worker

if TYPE_CHECKING:
    from pathlib import Path

LOADS = (
    "import sys\nsys.path[0] = sys.argv[1]\nsys.path.append(sys.argv[2])\n"
    "from fc_callback.runtime.worker import load_handler\nload_handler(*sys.argv[3:])\n"
)
HANDLER = "def handler(event, context): ...\n"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("code")
    files = {
        "index.py": HANDLER,
        "plain/job.py": HANDLER,
        "plain/relative.py": f"from . import job\n{HANDLER}",
        "plain/guarded.py": "def handler(event, context):\n    from . import job\n",
        "package/__init__.py": "",
        "package/job.py": HANDLER,
        "package/relative.py": "from .job import handler\n",
        "package/inner/deep.py": HANDLER,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12"])
@pytest.mark.parametrize(
    "handler",
    [
        "index.handler",
        "plain/job.handler",
        "plain.job.handler",
        "plain/relative.handler",
        "plain/guarded.handler",
        "package.job.handler",
        "package/job.handler",
        "package.relative.handler",
        "package/relative.handler",
        "package.inner.deep.handler",
        "package/inner.deep.handler",
        "index",
        ".handler",
        "index.",
        "index.py",
        "index.py.handler",
        "./index.handler",
        "/index.handler",
        "/plain/job.handler",
    ],
)
def test_a_string_is_refused_exactly_if_the_loader_refuses_it(code: Path, handler: str, runtime: str) -> None:
    home = str(worker.__file__).partition("fc_callback")[0]
    loaded = subprocess.run(
        [sys.executable, "-B", "-c", LOADS, str(code), home, handler, runtime],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (refusal(handler, code, runtime) is None) is (loaded.returncode == 0), loaded.stderr


def test_a_refusal_says_what_to_do(code: Path) -> None:
    assert refusal("plain.job.handler", code, "python3.10") == (
        "python3.10 does not load modules from a directory without __init__.py, and there is no plain/__init__.py.",
        "Add plain/__init__.py.",
    )


@pytest.mark.parametrize("handler", ["gone.handler", "gone/job.handler", "index.gone", "a.b.c.handler"])
def test_what_only_an_import_can_tell_is_left_to_it(code: Path, handler: str) -> None:
    assert refusal(handler, code, "python3.10") is None
