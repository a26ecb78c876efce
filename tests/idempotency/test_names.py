"""The names of the package: the stub for type checkers, and the table that loads them, say the same."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

# As Python sees it, and not as type checkers do.
ROOM = importlib.import_module("fc_callback.idempotency")
STUB = Path(str(ROOM.__file__)).with_suffix(".pyi")


def test_the_stub_and_the_table_name_the_same_things() -> None:
    stub = ast.parse(STUB.read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(stub.body)
    named = {alias.asname: node.module for node in imports for alias in node.names if alias.name == alias.asname}
    assert named == ROOM._MODULES


@pytest.mark.parametrize("name", sorted(ROOM._MODULES))
def test_each_name_can_be_imported(name: str) -> None:
    assert getattr(ROOM, name) is not None
    assert name in dir(ROOM)
    assert name in ROOM.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'onec'"):
        ROOM.onec  # noqa: B018 - a typo on purpose


def test_only_the_name_idempotent_loads_a_room_that_stands_above() -> None:
    code = """
import sys
import fc_callback.idempotency as room
import fc_callback.idempotency.redis
for name in sorted(room.__all__):
    if name != "idempotent":
        getattr(room, name)
print(sorted({one.split(".")[1] for one in sys.modules if one.startswith("fc_callback.")}))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    below = {"_lazy", "errors", "settings", "values", "redaction", "payload"}
    assert set(ast.literal_eval(ran.stdout)) <= {*below, "idempotency"}
