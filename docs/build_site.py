"""Build the documentation site of this version, without a network: `python docs/build_site.py`.

Each version has a folder in build/site, and `latest` is a copy of the newest one that is released. A static host serves
build/site as it is: index.html leads to the newest version, and versions.json is the list in the sidebar of every page, also of
versions that are older than the list. Put the folders that are published into build/site before you build another version.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from packaging.version import InvalidVersion, Version
from sphinx.cmd.build import main as sphinx_build

import fc_callback

DOCS = Path(__file__).parent
FRONT = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=latest/index.html">
<title>fc_callback</title>
<p><a href="latest/index.html">The documentation of fc_callback</a></p>
</html>
"""


def main() -> None:
    """Build the site in the folder that the command names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS.parent / "build" / "site"
    build(DOCS, folder, fc_callback.__version__)


def build(source: Path, folder: Path, version: str) -> None:
    """Build a version into its folder, and make the front page and the list of all versions that are there.

    Raises:
        SystemExit: Sphinx has a warning, which it has printed. The folder stays as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as work:
        built = Path(work) / "html"
        options = ["-W", "--keep-going", "-q", "-b", "html", "-c", str(DOCS), "-d", str(Path(work) / "doctrees")]
        failed = sphinx_build([*options, "-D", f"release={version}", str(source), str(built)])
        if failed:
            sys.exit(failed)
        _replace(folder / version, built)
    versions = _versions(folder)
    released = [each for each in versions if not each.is_prerelease] or versions
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as work:
        _replace(folder / "latest", shutil.copytree(folder / str(released[0]), Path(work) / "html"))
    (folder / "versions.json").write_text(json.dumps([str(each) for each in versions]) + "\n", "utf-8")
    (folder / "index.html").write_text(FRONT, "utf-8")
    (folder / ".nojekyll").touch()  # GitHub Pages would leave out _static


def _replace(folder: Path, new: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _versions(folder: Path) -> list[Version]:
    """Return the versions that have a folder, the newest first."""
    found = []
    for each in folder.iterdir():
        try:
            version = Version(each.name)
        except InvalidVersion:
            continue
        if str(version) == each.name:
            found.append(version)
    return sorted(found, reverse=True)


if __name__ == "__main__":
    main()
