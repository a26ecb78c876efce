"""The legacy language in the reference interpreter."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from tests.flows.reference import TOKEN, Answers, End, Failure, Recorder, finish, rule_for, with_rules
from tests.flows.reference_expressions import MISSING, Unsettled, is_true, parts_of, select

Json = dict[str, Any]


def interpret_legacy(
    definition: Json, given: Json, answers: Answers, *, flow_name: str = "f", execution_name: str = "e"
) -> End:
    """Say how an execution of a flow in the legacy language ends."""
    recorder = Recorder(answers)
    context = {"flow": {"name": flow_name}, "execution": {"name": execution_name}, "task": {"token": TOKEN}}
    interpreter = _Interpreter(recorder, context)

    def run() -> Json:
        flow_input = given
        if "inputMappings" in definition:
            flow_input = interpreter.mapped(definition["inputMappings"], given, {})
        local = interpreter.steps(definition["steps"], flow_input)
        if "outputMappings" in definition:
            return interpreter.mapped(definition["outputMappings"], flow_input, local)
        return local

    return finish(recorder, run)


@attrs.frozen
class _Done:
    """A step's output; the sibling that it goes to; whether its list of steps ends."""

    output: Json
    goto: str | None = None
    ends: bool = False


@attrs.frozen
class _Interpreter:
    recorder: Recorder
    context: Json

    def steps(self, steps: list[Json], given: Json) -> Json:
        """Return the local of a list of steps."""
        local: Json = {}
        place = 0
        while place < len(steps):
            step = steps[place]
            done = self.step(step, self.input_of(step, given, local))
            local = {**local, **done.output}
            if done.goto is not None:
                place = [each["name"] for each in steps].index(done.goto)
            elif done.ends or step.get("end"):
                break
            else:
                place += 1
        return local

    def input_of(self, step: Json, given: Json, local: Json) -> Json:
        if "inputMappings" in step:
            return self.mapped(step["inputMappings"], given, local)
        return {**given, **local}

    def step(self, step: Json, given: Json) -> _Done:
        kind = step["type"]
        if kind in {"pass", "wait", "succeed"}:
            return _Done(self.output_of(step, given, {}), ends=kind == "succeed")
        if kind == "fail":
            raise Failure(step["error"], step.get("cause"))
        if kind == "choice":
            return self.choice(step, given)
        if kind == "parallel":
            branches = [partial(self.steps, branch["steps"], given) for branch in step["branches"]]
            return _Done(self.output_of(step, given, self.recorder.together(branches), default={}))
        if kind == "foreach":
            return self.foreach(step, given)
        assert kind == "task", kind
        return self.task(step, given)

    def choice(self, step: Json, given: Json) -> _Done:
        def lookup(root: str, parts: list[Any]) -> Any:
            assert root == "$"
            return select(given, parts)

        taken = next((choice for choice in step["choices"] if is_true(choice["condition"], lookup)), None)
        taken = step.get("default", {}) if taken is None else taken
        local = self.steps(taken.get("steps", []), given)
        return _Done(self.output_of(step, given, local), goto=taken.get("goto"))

    def foreach(self, step: Json, given: Json) -> _Done:
        mapping = step["iterationMapping"]
        collection = select(given, parts_of(mapping["collection"])[1])
        if not isinstance(collection, list):
            raise Unsettled("a collection that is no list")
        iterations = []
        for index, item in enumerate(collection):
            names = {mapping["item"]: item}
            if "index" in mapping:
                names[mapping["index"]] = index
            iterations.append(partial(self.steps, step["steps"], {**given, **names}))
        return _Done(self.output_of(step, given, self.recorder.together(iterations), default={}))

    def task(self, step: Json, given: Json) -> _Done:
        def attempt(_number: int) -> Json:
            result = self.recorder.call(step["resourceArn"], given)
            if not isinstance(result, dict):
                raise Failure("FnF.InvalidLocal")
            return result

        try:
            local = with_rules(attempt, step.get("retry", []), most="maxAttempts")
        except Failure as failure:
            place = rule_for(step.get("catch", []), "errors", failure.error)
            if place is None:
                raise
            if failure.cause is None and "$local.cause" in str(step.get("errorMappings")):
                raise Unsettled("the cause of an error") from None
            known = {"error": failure.error, "cause": failure.cause}
            return _Done(self.mapped(step.get("errorMappings", []), given, known), goto=step["catch"][place]["goto"])
        return _Done(self.output_of(step, given, local))

    def output_of(self, step: Json, given: Json, local: Any, default: Json | None = None) -> Json:
        if "outputMappings" in step:
            return self.mapped(step["outputMappings"], given, local)
        output: Json = local if default is None else default
        return output

    def mapped(self, mappings: list[Json], given: Json, local: Any) -> Json:
        roots = {"$input": given, "$local": local, "$context": self.context}

        def value_of(source: Any) -> Any:
            if not isinstance(source, str) or not source.startswith(tuple(roots)):
                return source
            root, parts = parts_of(source)
            value = select(roots[root], parts)
            return None if value is MISSING else value

        return {mapping["target"]: value_of(mapping["source"]) for mapping in mappings}
