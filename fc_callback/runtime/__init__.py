"""Running a handler as FC does: one function, each instance of it a process of its own.

`FunctionSpec` is what s.yaml says about a function; `FunctionInstance` one process, kept warm between invocations;
`FunctionPool` as many instances as requests arrive at once; `InvocationResult` what an invocation gave: the body, the
kind of error, the log. `wsgi_app` makes a function a WSGI application, for FC's custom runtimes and containers.
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
