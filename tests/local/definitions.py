"""Definitions of flows, built from their steps, for tests of several flows that call each other."""

from __future__ import annotations

from typing import Any


def legacy(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "v1", "type": "flow", "steps": list(steps), **more}


def legacy_child(flow: str, pattern: str = "sync", **more: Any) -> dict[str, Any]:
    return {"type": "task", "name": "call", "resourceArn": f"acs:fnf:::flow/{flow}", "pattern": pattern, **more}


def legacy_pass(name: str = "p", **outputs: Any) -> dict[str, Any]:
    mappings = [{"target": target, "source": source} for target, source in outputs.items()]
    return {"type": "pass", "name": name, "outputMappings": mappings}


def legacy_fail(error: str, cause: str = "why") -> dict[str, Any]:
    return {"type": "fail", "name": "f", "error": error, "cause": cause}


def machine(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", **inner(*states), **more}


def inner(*states: dict[str, Any]) -> dict[str, Any]:
    """Return a branch or a Processor."""
    return {"StartAt": states[0]["Name"], "States": list(states)}


def child(flow: str, mode: str = "WaitForSystemCallback", *, name: str = "Call", **more: Any) -> dict[str, Any]:
    """Return a Task that starts a flow; keys in lower case are parameters."""
    parameters = {key: more.pop(key) for key in list(more) if key[0].islower()}
    given = {"resourceArn": f"acs:fnf:cn-hangzhou::flow/{flow}", **parameters}
    task = {"Type": "Task", "Name": name, "Action": "FNF:StartExecution", "TaskMode": mode, "Parameters": given}
    return {**task, **({} if "Next" in more else {"End": True}), **more}


def ask(name: str = "Ask", function: str = "ask", mode: str = "WaitForCustomCallback", **more: Any) -> dict[str, Any]:
    """Return a Task that invokes a function with its token and its input."""
    body = {"taskToken.$": "$Context.Current.TaskToken", "input.$": "$Input"}
    kind = more.pop("kind", "Async")
    given = {"resourceArn": f"acs:fc:::functions/{function}", "invocationType": kind, "body": body}
    task = {"Type": "Task", "Name": name, "Action": "FC:InvokeFunction", "TaskMode": mode, "Parameters": given}
    return {**task, **({} if "Next" in more else {"End": True}), **more}


def passing(name: str = "P", **more: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Name": name, **({} if "Next" in more else {"End": True}), **more}


def failing(code: str, detail: str = "why") -> dict[str, Any]:
    return {"Type": "Fail", "Name": "Broken", "Code": code, "Detail": detail}


def waiting(seconds: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Wait", "Name": "W", "Seconds": seconds, **({} if "Next" in more else {"End": True}), **more}
