"""Measure `fc-callback build`: with uv and with pip, without a package, and when nothing has changed.

    python -m benchmarks.warm_build

Each run is a new process, as in a pre-deploy action. The project needs attrs, pydantic and requests for python3.10. The
installers have their caches: the first build of each is not counted.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
MANIFEST = """
edition: 3.0.0
name: measured
resources:
  function:
    component: fc3
    props: {region: cn-hangzhou, functionName: measured, runtime: python3.10, handler: index.handler, code: ./code}
"""


def main() -> None:
    """Print the seconds of a build, for each installer."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    for name, command in (("uv", uv), ("pip", None)):
        if name == "uv" and uv is None:
            print("uv     is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = measure(Path(folder), command)
        print(f"{name:6} nothing built {cold:6.2f} s   unchanged {warm:6.2f} s")


def measure(folder: Path, uv: str | None) -> tuple[float, float]:
    """Return the seconds of a build without a package, and of one that finds nothing changed."""
    commands = folder / "commands"
    commands.mkdir()
    if uv is not None:
        (commands / "uv").symlink_to(uv)
    places = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / "uv").exists()]
    environment = {**os.environ, "PATH": os.pathsep.join([str(commands), *places])}
    code = folder / "project" / "code"
    code.mkdir(parents=True)
    (code.parent / "s.yaml").write_text(MANIFEST)
    (code / "requirements.txt").write_text("attrs\npydantic\nrequests\n")
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for number in range(ROUNDS + 1):
        shutil.rmtree(code / "python", ignore_errors=True)
        for kind in ("cold", "warm"):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "fc_callback", "build", str(code.parent)],
                env=environment,
                check=True,
                capture_output=True,
            )
            if number:
                seconds[kind].append(time.perf_counter() - began)
    return statistics.median(seconds["cold"]), statistics.median(seconds["warm"])


if __name__ == "__main__":
    main()
