"""Small wheels, made by hand, and a directory that stands for an index."""

from __future__ import annotations

import zipfile
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    *,
    tag: str = "py3-none-any",
    files: dict[str, str] | None = None,
    version: str = "1.0",
    requires: tuple[str, ...] = (),
) -> Path:
    """Write a wheel whose module says which tag it came with."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    content = {
        f"{name}/__init__.py": f"TAG = {tag!r}\n",
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/licenses/LICENSE": "Do as you like.\n",
    }
    record = "".join(f"{each},,\n" for each in (*content, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(each, text)
    return path


MANIFEST = """
edition: 3.0.0
name: packed
resources:
  function:
    component: fc3
    props:
      region: cn-hangzhou
      functionName: packed
      runtime: {runtime}
      handler: index.handler
      code: ./code
"""


def make_project(folder: Path, requirements: str | None, *, runtime: str = "python3.10") -> Path:
    """Write a project of one function."""
    (folder / "code").mkdir(parents=True)
    (folder / "s.yaml").write_text(MANIFEST.format(runtime=runtime))
    (folder / "code" / "index.py").write_text("def handler(event, context): ...\n")
    if requirements is not None:
        (folder / "code" / "requirements.txt").write_text(requirements)
    return folder
