"""Packages that FC's users need and that have only a source, from the real index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.building import build_project
from tests.building.wheels import installed, make_project
from tests.profiles import THOROUGH

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not THOROUGH, reason="This fetches packages; HYPOTHESIS_PROFILE=thorough runs it."),
    pytest.mark.usefixtures("installer"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("installer", ["uv", "pip"], indirect=True)
def test_pure_packages_with_only_a_source_are_built(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "alibabacloud-endpoint-util\ndocopt==0.6.2\n")

    build_project(project)

    assert {"alibabacloud_endpoint_util", "docopt"} == set(installed(project))
    assert (project / "code" / "python" / "docopt.py").is_file()
