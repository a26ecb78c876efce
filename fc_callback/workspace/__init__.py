"""A project that runs on the local CloudFlow, and that is read again when its files change.

    with LocalCloudFlow() as service, Workspace(service, Path("orders/s.yaml"), say=print) as workspace:
        print(workspace.summary())

`plan` turns a `Project` into functions, subscriptions and flows; `pythons` finds the interpreters of the functions;
`watching` reports the files that change; `workspace` keeps the service as the files are.
"""

from __future__ import annotations

from fc_callback.workspace.workspace import Workspace, find_manifest

__all__ = ["Workspace", "find_manifest"]
