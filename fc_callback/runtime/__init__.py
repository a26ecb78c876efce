"""Runs a handler as FC does: each instance of a function is a process.

- `FunctionSpec`: a function, as s.yaml describes it.
- `FunctionInstance`: one process of the function, kept warm between invocations.
- `FunctionPool`: several instances, for concurrent requests.
- `InvocationResult`: the result of an invocation: body, kind of error, log.
- `wsgi_app`: the function as a WSGI application, for FC's custom runtimes and containers.
- `fc_callback.runtime.runtimes`: the table of FC's runtimes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

if TYPE_CHECKING:
    from fc_callback.runtime.function import FunctionSpec, InvocationResult
    from fc_callback.runtime.instance import FunctionInstance
    from fc_callback.runtime.pool import FunctionPool
    from fc_callback.runtime.wsgi import wsgi_app

_MODULES = {
    "FunctionInstance": "fc_callback.runtime.instance",
    "FunctionPool": "fc_callback.runtime.pool",
    "FunctionSpec": "fc_callback.runtime.function",
    "InvocationResult": "fc_callback.runtime.function",
    "wsgi_app": "fc_callback.runtime.wsgi",
}

__all__ = ["FunctionInstance", "FunctionPool", "FunctionSpec", "InvocationResult", "wsgi_app"]

__getattr__, __dir__ = attach(__name__, _MODULES)
