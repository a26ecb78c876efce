"""Take from the package what a system lacks: names of os, signal, socket, select and time, and whole modules.

Python runs this file at its start in a process that has its folder in PYTHONPATH, and in the processes of that process. Only
modules of the package in the folder `LACKING_PACKAGE` are affected: the standard library and other packages have code of
their own for each system, and would choose the one for Linux. `LACKING_NAMES` is the file of the names.
"""

from __future__ import annotations

import builtins
import json
import os
import types
import warnings
from pathlib import Path
from typing import Any

PACKAGE = os.environ["LACKING_PACKAGE"] + os.sep
NAMES: dict[str, list[str]] = json.loads(Path(os.environ["LACKING_NAMES"]).read_text("utf-8"))
MODULES = set(NAMES.pop("modules"))
_import = builtins.__import__
_reduced: dict[str, types.ModuleType] = {}


def _import_as_there(name: str, importing: Any = None, *arguments: Any, **named: Any) -> types.ModuleType:
    module = _import(name, importing, *arguments, **named)
    if not (importing and str(importing.get("__file__")).startswith(PACKAGE)):
        return module
    if name in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if module.__name__ not in NAMES:
        return module
    if name not in _reduced:
        reduced = _reduced[name] = types.ModuleType(module.__name__)
        lacking = NAMES[module.__name__]
        vars(reduced).update({each: value for each, value in vars(module).items() if each not in lacking})
    return _reduced[name]


vars(builtins)["__import__"] = _import_as_there
# With PYTHONWARNDEFAULTENCODING: a text file of the package without an encoding. It is UTF-8 here and something else there.
warnings.filterwarnings("error", category=EncodingWarning, module=r"fc_callback\.")
