"""Small wheels, made by hand, and a directory that stands for an index."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any


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


# A build backend inside the source itself: no build needs anything from an index.
_BACKEND = """
import os, zipfile
NAME, VERSION, TAG = {name!r}, {version!r}, {tag!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    file = f"{{NAME}}-{{VERSION}}-{{TAG}}.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    module = f"{{NAME}}/__init__.py"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        archive.writestr(module, open("module.py").read())
        archive.writestr(f"{{info}}/METADATA", f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n" + {requires!r})
        archive.writestr(f"{{info}}/WHEEL", f"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n")
        archive.writestr(f"{{info}}/RECORD", f"{{module}},,\\n{{info}}/METADATA,,\\n{{info}}/WHEEL,,\\n{{info}}/RECORD,,\\n")
    return file
"""
_PYPROJECT = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"


def make_source(
    folder: Path, name: str, *, version: str = "1.0", tag: str = "py3-none-any", requires: tuple[str, ...] = ()
) -> Path:
    """Write a source tree from which a wheel can be built."""
    folder.mkdir(parents=True)
    lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
    backend = _BACKEND.format(name=name, version=version, tag=tag, requires=lines)
    content = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}",
        "pyproject.toml": _PYPROJECT,
        "backend.py": backend,
        "module.py": f"VERSION = {version!r}\n",
    }
    for file, text in content.items():
        (folder / file).write_text(text)
    return folder


def make_sdist(index: Path, name: str, *, version: str = "1.0", **how: Any) -> Path:
    """Write a source distribution."""
    archive = index / f"{name}-{version}.tar.gz"
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w:gz") as packed:
        tree = make_source(Path(folder) / "tree", name, version=version, **how)
        packed.add(tree, f"{name}-{version}")
    return archive


def installed(project: Path) -> dict[str, str]:
    """Return the versions in a package, by distribution."""
    found = sorted((project / "code" / "python").glob("*.dist-info"))
    versions = dict(path.name.removesuffix(".dist-info").split("-") for path in found)
    assert len(versions) == len(found), found
    return versions


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
