"""CloudFlow's own language in the reference interpreter."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from tests.flows.reference import TOKEN, Answers, End, Failure, Recorder, finish, rule_for, with_rules
from tests.flows.reference_expressions import MISSING, Unsettled, evaluate, is_true, select

Json = dict[str, Any]


def interpret_cloudflow(definition: Json, given: Json, answers: Answers, *, execution_name: str = "e") -> End:
    """Say how an execution of a flow in CloudFlow's own language ends."""
    recorder = Recorder(answers)
    interpreter = _Interpreter(recorder, {"Name": execution_name, "Input": given})
    return finish(recorder, lambda: interpreter.scope(definition, given))


@attrs.define
class _State:
    """One state while it runs."""

    definition: Json
    given: Any
    output: Any = None
    retry_count: int = 0
    failure: Failure | None = None


@attrs.frozen
class _Interpreter:
    recorder: Recorder
    execution: Json

    def scope(self, definition: Json, given: Any) -> Any:
        """Return the output of a list of states."""
        by_name = {state["Name"]: state for state in definition["States"]}
        name: str | None = definition["StartAt"]
        while name is not None:
            given, name = self.state(by_name[name], given)
        return given

    def state(self, definition: Json, given: Any) -> tuple[Any, str | None]:
        """Return the output of a state, and the name of the state that follows."""
        state = _State(definition, given)
        if "InputConstructor" in definition:
            state.given = self.constructed(definition["InputConstructor"], state)
        kind = definition["Type"]
        if kind == "Fail":
            raise Failure(definition["Code"], definition.get("Detail"))
        if kind == "Choice":
            return state.given, self.chosen(state)
        try:
            work = {"Task": self.task, "Parallel": self.parallel, "Map": self.map}.get(kind)
            if work is None:
                assert kind in {"Pass", "Wait", "Succeed"}, kind
                state.output = state.given
            else:
                state.output = with_rules(
                    lambda number: work(state, number), definition.get("Retry", []), most="MaxAttempts"
                )
        except Failure as failure:
            return self.caught(state, failure)
        return self.completed(state)

    def completed(self, state: _State) -> tuple[Any, str | None]:
        definition, output = state.definition, state.output
        if "OutputConstructor" in definition:
            output = self.constructed(definition["OutputConstructor"], state)
        if "GlobalConstructor" in definition:
            written = self.constructed(definition["GlobalConstructor"], state)
            self.recorder.use_globals(set(written), write=True)
            self.recorder.globals.update(written)
        ends = definition.get("End") or definition["Type"] == "Succeed"
        return output, None if ends else definition["Next"]

    def caught(self, state: _State, failure: Failure) -> tuple[Any, str | None]:
        rules = state.definition.get("Catch", [])
        place = rule_for(rules, "Errors", failure.error)
        if place is None:
            raise failure
        output = state.given
        if "OutputConstructor" in rules[place]:
            if failure.cause is None and "Error.Detail" in str(rules[place]):
                raise Unsettled("the cause of an error")
            state.failure = failure
            output = self.constructed(rules[place]["OutputConstructor"], state)
        return output, rules[place]["Next"]

    def chosen(self, state: _State) -> str:
        for branch in state.definition["Branches"]:
            if is_true(branch["Condition"], self.lookup(state)):
                return str(branch["Next"])
        if "Default" not in state.definition:
            raise Unsettled("no branch and no Default")
        return str(state.definition["Default"])

    def task(self, state: _State, number: int) -> Any:
        state.retry_count = number
        parameters = self.constructed(state.definition["Parameters"], state)
        result = self.recorder.call(parameters["resourceArn"], parameters.get("body", {}))
        return {"Body": result} if state.definition.get("TaskMode", "RequestComplete") == "RequestComplete" else result

    def parallel(self, state: _State, _number: int) -> Any:
        branches = state.definition["Branches"]
        outputs = self.recorder.together([partial(self.scope, branch, state.given) for branch in branches])
        return {f"Branch{place}": output for place, output in enumerate(outputs)}

    def map(self, state: _State, _number: int) -> Any:
        items = evaluate(state.definition["ItemsPath"], self.lookup(state))
        if not isinstance(items, list):
            raise Unsettled("items that are no list")
        processor = state.definition["Processor"]
        return {"Items": self.recorder.together([partial(self.scope, processor, item) for item in items])}

    def constructed(self, constructor: Any, state: _State) -> Any:
        """Return a constructor's value; a key that ends in `.$` has an expression."""
        if isinstance(constructor, list):
            return [self.constructed(item, state) for item in constructor]
        if not isinstance(constructor, dict):
            return constructor
        built: Json = {}
        for key, value in constructor.items():
            if key.endswith(".$"):
                found = evaluate(value, self.lookup(state))
                built[key[:-2]] = None if found is MISSING else found
            else:
                built[key] = self.constructed(value, state)
        return built

    def lookup(self, state: _State) -> Any:
        current = {
            "Name": state.definition["Name"],
            "Input": state.given,
            "Output": state.output,
            "RetryCount": state.retry_count,
            "TaskToken": TOKEN,
        }
        if state.failure is not None:
            current["Error"] = {"Code": state.failure.error, "Detail": state.failure.cause}
        roots = {
            "$Input": state.given,
            "$Output": state.output,
            "$Context": {"Execution": self.execution, "Current": current},
            "$Global": self.recorder.globals,
        }

        def find(root: str, parts: list[Any]) -> Any:
            if root == "$Global":
                if not parts:
                    raise Unsettled("all global variables")
                self.recorder.use_globals({str(parts[0])}, write=False)
            return select(roots[root], parts)

        return find
