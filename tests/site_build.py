"""The documentation site, built for the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import need
from tests.wheel import locked

ROOT = Path(__file__).parents[1]


def sphinx(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Build a site with the configuration of this one."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / "docs")]
    return subprocess.run(
        [*command, str(source), str(output)], capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all workers of a run."""
    need("Sphinx")
    base = tmp_path_factory.getbasetemp()
    with locked((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site") as folder:
        if not (folder / "said").exists():
            built = sphinx(ROOT / "docs", folder / "html")
            (folder / "said").write_text(built.stdout + built.stderr, "utf-8")
        assert (folder / "said").read_text("utf-8") == ""
        return folder / "html"
