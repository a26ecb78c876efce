"""Actions that are not functions: what a flow's tasks call beside functions and flows, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.flows.flow import TaskCall
    from fc_callback.values.token import TaskToken

_OWN = {"FC:InvokeFunction": "add_function", "FNF:StartExecution": "create_flow"}


class Action(Protocol):
    """Does what a task asks for; see `LocalCloudFlow.add_action`."""

    def __call__(self, parameters: dict[str, Any], /, *, task_token: TaskToken | None) -> Mapping[str, Any] | None:
        """Return the result of the step, a JSON object; it is ignored if there is a token."""


class Actions:
    """The actions, each under its name or under the beginning of several names, which ends in a colon."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}

    def add(self, name: str, action: Action) -> None:
        """Add an action, or replace the action of the same name.

        Raises:
            SettingsError: The name or the action cannot be used.
        """
        if ":" not in name:
            raise SettingsError(
                f"The action cannot have the name {name!r}.",
                hint="A name is like 'HTTP:Request', and the beginning of several names is like 'ocr:' or 'acs:mns:'.",
            )
        if name in _OWN:
            raise SettingsError(f"No action can take the place of {name}.", hint=f"Use {_OWN[name]}().")
        if not callable(action):
            raise SettingsError(f"The action {name} is {type(action).__name__}, which cannot be called.")
        self._actions = {**self._actions, name: action}  # other threads read the old one

    def find(self, called: str) -> Action | None:
        """Return the action of a name; without one, that of the longest beginning of the name."""
        key = self._key(called)
        return None if key is None else self._actions[key]

    def parameters(self, call: TaskCall) -> dict[str, Any]:
        """Return what the action of a call gets: the evaluated parameters, and what its name alone would not say.

        The ARN of Serverless Workflow is the parameter `resourceArn`, as in CloudFlow's language. An action that has the
        beginning of a name gets the rest of the name as `Action`, as in the RPC protocol of OpenAPI.
        """
        if call.action.startswith("acs:"):
            return {"resourceArn": call.action, **call.parameters}
        key = self._key(call.action)
        if key is not None and key != call.action:
            return {"Action": call.action.removeprefix(key), **call.parameters}
        return dict(call.parameters)

    def _key(self, called: str) -> str | None:
        return max((key for key in self._actions if is_called(key, called)), key=len, default=None)


def is_called(key: str, called: str) -> bool:
    """Return whether an action that was added under a key is the one that a task calls by name."""
    return called == key or (key.endswith(":") and called.startswith(key))
