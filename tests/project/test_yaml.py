"""s.yaml is read as Serverless Devs reads it, and no text costs more than the bounds allow."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fc_callback.project.documents import read_document
from fc_callback.project.yaml_reader import MAX_DEPTH, DocumentError, DuplicateKey, parse_yaml
from fc_callback.project.yaml_scalars import as_text
from tests.project.yaml_table import DOCUMENTS, REFUSED, REFUSED_DOCUMENTS, TEXTS, VALUES

JS_YAML = "4.1.0"
# Prints the value of each text as JSON; what JSON has not is written as a list that begins with its kind.
LOAD = """
const yaml = require("js-yaml");
const plain = (v) => v === undefined ? null : v instanceof Date ? ["date", v.toISOString().slice(0, 23)]
  : v instanceof Uint8Array ? ["bytes", Buffer.from(v).toString("hex")]
  : typeof v === "number" && !Number.isFinite(v) ? ["number", String(v)]
  : Array.isArray(v) ? ["list", ...v.map(plain)]
  : v && typeof v === "object" ? ["map", Object.fromEntries(Object.entries(v).map(([k, e]) => [k, plain(e)]))] : v;
const load = (text) => { try { return ["value", plain(yaml.load(text))]; } catch { return ["error"]; } };
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(load)));
"""


def plain(value: Any) -> Any:
    """Return a value as LOAD prints it."""
    if isinstance(value, datetime):
        return ["date", f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}".zfill(23)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, float) and not math.isfinite(value):
        return ["number", as_text(value)]
    if isinstance(value, list):
        return ["list", *map(plain, value)]
    return ["map", {key: plain(each) for key, each in value.items()}] if isinstance(value, dict) else value


def loaded(text: str) -> list[Any]:
    try:
        return ["value", plain(parse_yaml(text))]
    except DocumentError:
        return ["error"]


def test_what_is_a_text_for_s_is_a_text() -> None:
    assert {text: parse_yaml(f"v: {text}\n") for text in TEXTS} == {text: {"v": text} for text in TEXTS}


def test_a_scalar_has_the_value_and_the_type_that_s_gives_it() -> None:
    read = {text: parse_yaml(f"v: {text}\n")["v"] for text in VALUES}

    assert {text: plain(value) for text, value in read.items()} == {
        text: plain(value) for text, value in VALUES.items()
    }
    assert [text for text, value in read.items() if type(value) is not type(VALUES[text])] == []


def test_a_document_has_the_value_that_s_gives_it() -> None:
    assert [(text, parse_yaml(text)) for text in DOCUMENTS] == list(DOCUMENTS.items())


@pytest.mark.parametrize("text", [*(f"v: {text}\n" for text in REFUSED), *REFUSED_DOCUMENTS], ids=repr)
def test_what_s_refuses_is_refused_with_a_reason_and_its_place(text: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse_yaml(text)

    assert error.value.problem
    assert 1 <= error.value.line <= text.count("\n") + 1
    assert error.value.column >= 1


@pytest.fixture(scope="session")
def js_yaml() -> Path:
    """A directory from which `require("js-yaml")` works; installed once into the user's cache."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed.")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "fc-callback" / f"js-yaml-{JS_YAML}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers share the cache
        if not (folder / "node_modules" / "js-yaml" / "package.json").exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"js-yaml@{JS_YAML}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot install js-yaml: {done.stderr[-300:]}")
    return folder


def test_the_tables_are_those_of_js_yaml_itself(js_yaml: Path) -> None:
    texts = [f"v: {text}\n" for text in (*TEXTS, *VALUES, *REFUSED)] + [*DOCUMENTS, *REFUSED_DOCUMENTS]
    done = subprocess.run(
        ["node", "-e", LOAD],
        cwd=js_yaml,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    theirs = json.loads(done.stdout, parse_int=lambda digits: int(float(digits)))  # JavaScript's numbers are doubles

    assert [text for text, value in zip(texts, theirs, strict=True) if loaded(text) != value] == []


@pytest.mark.parametrize(
    ("text", "key", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "a", 3, 1),
        ("x:\n  - a: 1\n    a: 2\n", "a", 3, 5),
        ("{a: 1, a: 2}\n", "a", 1, 8),
        ("1: a\n'1': b\n", "1", 2, 1),
        ("0x10: a\n16: b\n", "16", 2, 1),
        ("b: &b {q: 1}\nm:\n  <<: *b\n  q: 2\n  q: 3\n", "q", 5, 3),
    ],
)
def test_a_key_that_occurs_twice_is_named_with_line_and_column(text: str, key: str, line: int, column: int) -> None:
    with pytest.raises(DuplicateKey, match=f"the key '{key}'") as error:
        parse_yaml(text)

    assert (error.value.line, error.value.column) == (line, column)


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGED = "a0: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "aliases expand to more than 100,000 values"),
        (MERGED, "aliases expand to more than 100,000 values"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ("- " * 100_000, "nested deeper than 100 levels"),
        ("{a: " * 100_000, "nested deeper than 100 levels"),
        ("".join(f"{' ' * n}a:\n" for n in range(1000)), "nested deeper than 100 levels"),
        ("a: &x [*x]\n", r"\*x is inside the value that it names"),
        ("a: &x {<<: *x}\n", r"\*x is inside the value that it names"),
        ("x" * 1_000_001, "more than 1,000,000 characters"),
        ("a: !!python/object/apply:os.system ['echo hacked']\n", "the tag !!python/object/apply:os.system"),
        ("a: !!python/name:os.system\n", "the tag !!python/name:os.system"),
        ("!!python/object/new:type [x]\n", "the tag !!python/object/new:type"),
        ("a: !Ref b\n", "the tag !Ref is not known"),
        ("%YAML 1." + "1" * 5000 + "\n--- a\n", "an escape or a version number is out of range"),
        ('a: "\\UFFFFFFFF"\n', "an escape or a version number is out of range"),
    ],
    ids=["laughs", "mappings", "lists", "dashes", "flow-mappings", "blocks", "self", "merged-self", "length"]
    + ["apply", "name", "new", "local-tag", "version", "escape"],
)
def test_a_hostile_text_is_refused_within_seconds(text: str, problem: str) -> None:
    before = time.monotonic()

    with pytest.raises(DocumentError, match=problem):
        parse_yaml(text)

    assert time.monotonic() - before < 20


def test_depth_below_the_bound_is_read() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_a_number_of_any_length_is_a_double_as_in_javascript() -> None:
    assert parse_yaml("v: " + "9" * 100_000) == {"v": math.inf}
    assert parse_yaml("v: 0x" + "f" * 100_000) == {"v": math.inf}


def test_an_escaped_character_of_json_is_one_character() -> None:
    assert parse_yaml(r'{"a": "\ud83d\ude00", "b": "\ud83d"}') == {"a": "\U0001f600", "b": "\ufffd"}


def test_a_line_is_that_of_the_key_through_aliases_and_merges(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "base: &base\n  memory: 1\nlist: &list\n  - one\n  - two\nx:\n  <<: *base\n  own: 3\n  named: *list\n"
    )

    read = read_document(path, tmp_path)

    assert [read.line("x", "memory"), read.line("x", "own"), read.line("x", "named", 1)] == [2, 8, 5]
    assert [read.line("x", "gone"), read.line("gone"), read.line("list", 7)] == [6, 1, 3]


def test_a_file_that_is_not_utf_8_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: \xff\n")

    assert "utf-8" in str(read_document(path, tmp_path).error)
