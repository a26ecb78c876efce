"""What a release holds: the source distribution, the wheel that is built from it, and the page on an index."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fc_callback
from fc_callback.project.yaml_reader import parse_yaml
from tests.parts import need
from tests.test_docs import LINK, headings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

ROOT = Path(__file__).parents[1]
FOLDERS = ("fc_callback", "templates", "tests", "benchmarks", "docs", ".ci")
PAGES = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
FILES = (*PAGES, "LICENSE", "pyproject.toml", "s.yaml")
MADE_BY_TOOLS = {"__pycache__", ".pytest_cache", ".hypothesis", ".s", "python", "node_modules"}
HOME = re.findall(r'^Homepage = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[0]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    need("hatchling")
    from hatchling.build import build_sdist

    folder = tmp_path_factory.mktemp("sdist")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        name = build_sdist(str(folder))
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
    return folder / name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def built(source: Path) -> zipfile.ZipFile:
    """The wheel."""
    from hatchling.build import build_wheel

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(source)
        name = build_wheel(str(source.parent))
    return zipfile.ZipFile(source.parent / name)


@pytest.fixture(scope="module")
def page(built: zipfile.ZipFile) -> Message:
    """What an index shows of the package."""
    (metadata,) = (name for name in built.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(built.read(metadata))


def files_of(root: Path, folder: str) -> set[str]:
    paths = (path for path in (root / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {
        path.relative_to(root).as_posix() for path in paths if not MADE_BY_TOOLS & set(path.relative_to(root).parts)
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_source_distribution_holds_all_files_of_a_folder(source: Path, folder: str) -> None:
    here = files_of(ROOT, folder)
    assert here
    assert here - files_of(source, folder) == set()


def test_the_source_distribution_holds_every_page_and_nothing_else(source: Path) -> None:
    assert {path.name for path in source.iterdir()} == {
        *FOLDERS,
        *FILES,
        "PKG-INFO",
        ".gitignore",
        ".pre-commit-hooks.yaml",
    }


def test_the_wheel_holds_the_package_with_its_templates_and_no_tests(built: zipfile.ZipFile) -> None:
    names = {name for name in built.namelist() if ".dist-info/" not in name}
    package = files_of(ROOT, "fc_callback")
    templates = {f"fc_callback/_templates/{name.removeprefix('templates/')}" for name in files_of(ROOT, "templates")}
    assert names == package | templates


def test_every_link_on_the_page_of_an_index_leads_to_a_file_of_this_version(page: Message) -> None:
    text = str(page.get_payload())
    files = re.compile(rf"{re.escape(HOME)}/(?:blob|raw)/v{re.escape(fc_callback.__version__)}/")
    links = [(target, anchor) for target, anchor in LINK.findall(text) if target]
    assert len(links) > 5
    assert [target for target, _ in links if not target.startswith("https://")] == []
    ours = [(ROOT / files.sub("", target), anchor) for target, anchor in links if target.startswith(HOME)]
    assert len(ours) > 5
    assert [file for file, anchor in ours if not file.is_file() or (anchor and anchor not in headings_of(file))] == []


def test_a_picture_on_the_page_of_an_index_has_the_address_of_its_file(page: Message) -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", str(page.get_payload()))
    assert pictures
    assert [address for address in pictures if not address.startswith(f"{HOME}/raw/v{fc_callback.__version__}/")] == []


def test_the_page_of_an_index_says_where_the_package_runs(page: Message) -> None:
    classifiers = set(page.get_all("Classifier", []))
    assert {"Framework :: Pytest", "Operating System :: Microsoft :: Windows", "Typing :: Typed"} <= classifiers
    assert (
        "Programming Language :: Python :: 3.{}".format(str(page["Requires-Python"]).rpartition(".")[2]) in classifiers
    )


def addresses() -> Iterator[tuple[str, str]]:
    """Yield each address of the project that a file has, with the place of it."""
    places = [*PAGES, "pyproject.toml", *files_of(ROOT, "docs"), *files_of(ROOT, "templates")]
    for name in (place for place in places if not place.endswith(".png")):
        text = (ROOT / name).read_text("utf-8")
        for found in re.finditer(r"https://[\w.-]+/[\w-]+/fc-callback\b", text):
            yield f"{name}:{text.count(chr(10), 0, found.start()) + 1}", found[0]


def test_every_place_that_names_the_project_has_the_address_of_pyproject() -> None:
    found = list(addresses())
    assert {place.partition(":")[0] for place, _ in found} >= {"pyproject.toml", "SECURITY.md", "CONTRIBUTING.md"}
    assert [place for place, address in found if address != HOME] == []


def test_the_home_page_of_each_template_is_that_of_the_project() -> None:
    pages = {
        path.parent.name: parse_yaml(path.read_text("utf-8"))["HomePage"]
        for path in (ROOT / "templates").glob("*/publish.yaml")
    }
    assert len(pages) >= 5
    assert set(pages.values()) == {HOME}


def test_the_changelog_has_an_entry_for_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0].split()[0] == fc_callback.__version__
