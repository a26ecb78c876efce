"""Random flows of the legacy language."""

from __future__ import annotations

from random import Random
from typing import Any

import attrs

from tests.flows.random_flows import FUNCTION, KEYS, Builder, RandomFlow
from tests.flows.reference import Answer, AnswersBySite

Json = dict[str, Any]
KINDS = [
    "pass",
    "task",
    "task",
    "task",
    "wait",
    "choice",
    "choice",
    "foreach",
    "foreach",
    "parallel",
    "parallel",
    "loop",
]
REFERENCES = ["$.a", "$.b", "$.c", "$.a.p", "$.b.q[0]", "$.more", "$.size", "$.nothing"]


@attrs.frozen
class _Place:
    """Where a list of steps stands: the names of the indexes around it, and whether the input has `list`."""

    depth: int
    indexes: tuple[str, ...] = ()
    has_list: bool = True


class _Legacy(Builder):
    def steps(self, place: _Place) -> list[Json]:
        """Return a list of steps; a `goto` always leads forward, except that of a loop."""
        steps: list[Json] = []
        for _ in range(self.several(4)):
            if self.steps_left <= 0:
                break
            kind = self.kind(KINDS, place.depth)
            if kind == "loop":
                steps += self.loop(place)
            elif kind == "task" and not self.only_waiting and self.chance(30):
                steps += self.task_with_whole_input(place)
            else:
                steps.append(getattr(self, f"{kind}_step")(place))
        if not steps or self.chance(10):
            last = [self.pass_step, self.succeed_step] + [self.fail_step] * (not self.only_waiting)
            steps.append(self.pick(last)(place))
        if "catch_later" in steps[-1]:
            steps.append(self.pass_step(place))
        self.link(steps)
        return steps

    def link(self, steps: list[Json]) -> None:
        """Let gotos and catches lead to a later step, and let a few steps end the list."""
        names = [step["name"] for step in steps]
        for place, step in enumerate(steps):
            later = [name for name in names[place + 1 :] if not name.startswith("whole")]
            rules = step.pop("catch_later", None)
            if rules:
                step["catch"] = [{"errors": errors, "goto": self.pick(later)} for errors in rules]
            if step["type"] == "choice" and later and "loops" not in step:
                for taken in [*step["choices"], *([step["default"]] if "default" in step else [])]:
                    if self.chance(30):
                        taken["goto"] = self.pick(later)
            step.pop("loops", None)
            if step["type"] not in {"fail", "succeed", "choice"} and self.chance(4):
                step["end"] = True

    def source(self) -> Any:
        """Return the source of a mapping, or a constant."""
        keys = [f"{root}.{key}" for key in KEYS for root in ("$input", "$local")]
        deep = ["$input.a.p", "$local.b.q[0]", "$input.nothing", "$local.of", "$context.execution.name", "$input.list"]
        return self.pick([*keys, *deep]) if self.chance(75) else self.value()

    def mappings(self, fixed: list[Json], most: int = 2) -> list[Json]:
        targets = self.keys(0, most)
        return [*fixed, *({"target": target, "source": self.source()} for target in targets)]

    def kept(self, place: _Place) -> list[Json]:
        """Return the mappings that keep the indexes in an input."""
        return [{"target": name, "source": f"$input.{name}"} for name in place.indexes]

    def pass_step(self, place: _Place) -> Json:
        step: Json = {"type": "pass", "name": self.name("pass")}
        if self.chance(30):
            step["inputMappings"] = self.mappings(self.kept(place))
        if self.chance(80):
            step["outputMappings"] = self.mappings([])
        return step

    def succeed_step(self, place: _Place) -> Json:
        return {**self.pass_step(place), "type": "succeed"}

    def fail_step(self, place: _Place) -> Json:
        return {"type": "fail", "name": self.name("fail"), "error": self.pick(["ErrA", "Broken"]), "cause": "why"}

    def wait_step(self, place: _Place) -> Json:
        step: Json = {"type": "wait", "name": self.name("wait")}
        kind = self.pick(["past", "constant", "mapped"])
        if kind == "past":
            return {**step, "timestamp": "2019-05-02T15:04:05Z"}
        if kind == "constant":
            return {**step, "duration": self.number(1, 3)}
        mapping = {"target": "pause", "source": self.number(1, 3)}
        return {**step, "duration": "$.pause", "inputMappings": [mapping]}

    def task_step(self, place: _Place) -> Json:
        name = self.name("task")
        patterns = ["requestResponse", "waitForCallback", "waitForCallback", "sync"]
        pattern = "waitForCallback" if self.only_waiting else self.pick(patterns)
        fixed = [{"target": "site", "source": name}, *self.kept(place)]
        step: Json = {"type": "task", "name": name, "resourceArn": f"acs:fc:::services/s/functions/{FUNCTION}"}
        if pattern != "requestResponse" or self.chance(30):
            step["pattern"] = pattern
        if pattern == "waitForCallback":
            fixed.append({"target": "taskToken", "source": "$context.task.token"})
            step["timeoutSeconds"] = self.number(4, 9)
            if self.only_waiting or self.chance(70):
                step["serviceParams"] = {
                    "InvocationType": "Async" if self.only_waiting else self.pick(["Async", "Sync"])
                }
        if pattern == "sync":
            step["serviceParams"] = {"InvocationType": "Async"}
        self.add_answers(
            name, reported=pattern == "waitForCallback", steady=False, objects=self.chance(90), errors=pattern != "sync"
        )
        if self.chance(25):
            fixed.append({"target": "all", "source": self.pick(["$input", "$local"])})
        step["inputMappings"] = self.mappings(fixed)
        if self.chance(30):
            step["outputMappings"] = self.mappings([])
        if self.chance(40):
            rule: Json = {"errors": self.errors(), "intervalSeconds": 1}
            if self.chance(80):
                rule["maxAttempts"] = self.number(1, 2)
            step["retry"] = [rule]
        if self.chance(40):
            step["catch_later"] = [self.errors() for _ in range(self.number(1, 2))]
            if self.chance(60):
                sources = {"code": "$local.error", "cause": "$local.cause"}
                chosen = self.pick([["code"], ["code", "cause"]])
                step["errorMappings"] = [{"target": target, "source": sources[target]} for target in chosen]
        return step

    def task_with_whole_input(self, place: _Place) -> list[Json]:
        """Return a task without inputMappings, and the step that gives it its `site`."""
        task = self.task_step(place)
        task["name"] = task["name"].replace("task", "whole")
        mappings = [{"target": "site", "source": task["name"]}]
        if task.get("pattern") == "waitForCallback":
            task["pattern"] = "requestResponse"
            task.pop("serviceParams", None)
        self.add_answers(task["name"], reported=False, steady=False, objects=True, errors=task.get("pattern") != "sync")
        del task["inputMappings"]
        return [{"type": "pass", "name": self.name("site"), "outputMappings": mappings}, task]

    def choice_step(self, place: _Place) -> Json:
        step: Json = {"type": "choice", "name": self.name("choice"), "choices": []}
        inner = place
        if self.chance(20):
            step["inputMappings"] = self.mappings(self.kept(place))
            inner = attrs.evolve(place, has_list=False)
        inner = attrs.evolve(inner, depth=place.depth - 1)
        for _ in range(self.number(1, 2)):
            taken: Json = {"condition": self.condition(REFERENCES)}
            if self.chance(80):
                taken["steps"] = self.steps(inner)
            step["choices"].append(taken)
        if self.chance(60):
            step["default"] = {"steps": self.steps(inner)}
        if self.chance(20):
            step["outputMappings"] = self.mappings([])
        return step

    def parallel_step(self, place: _Place) -> Json:
        step: Json = {"type": "parallel", "name": self.name("parallel")}
        inner = attrs.evolve(place, depth=place.depth - 1)
        step["branches"] = [{"steps": self.steps(inner)} for _ in range(self.several(3))]
        return self.gathered(step)

    def foreach_step(self, place: _Place) -> Json:
        name = self.name("foreach")
        number = name.removeprefix("foreach")
        step: Json = {"type": "foreach", "name": name}
        collection = "list"
        inner = attrs.evolve(place, depth=place.depth - 1, indexes=(*place.indexes, f"x{number}"))
        if not place.has_list or self.chance(50):
            collection = "items"
            items = {"target": "items", "source": self.elements(self.value)}
            step["inputMappings"] = self.mappings([items, *self.kept(place)])
            inner = attrs.evolve(inner, has_list=False)
        step["iterationMapping"] = {
            "collection": f"$.{collection}",
            "item": self.pick([f"i{number}", "a"]),
            "index": f"x{number}",
        }
        step["steps"] = self.steps(inner)
        return self.gathered(step)

    def gathered(self, step: Json) -> Json:
        """Let most parallel and foreach steps read what their branches gave."""
        sources = ["$local", "$local[*].a", "$local[*].b", "$local[*].of", "$local[0].c", "$input.a", "$local[*].b.p"]
        if self.chance(80):
            targets = self.keys(1, 2)
            step["outputMappings"] = [{"target": target, "source": self.pick(sources)} for target in targets]
        return step

    def loop(self, place: _Place) -> list[Json]:
        """Return a counter, the steps of a loop, and the choice that goes back."""
        name = self.name("tick")
        counter = name.replace("tick", "n")
        first = {
            "type": "pass",
            "name": f"init{name}",
            "outputMappings": [{"target": counter, "source": 0}],
        }
        self.answers[name] = [Answer("count", counter)]
        tick = {
            "type": "task",
            "name": name,
            "resourceArn": f"acs:fc:::services/s/functions/{FUNCTION}",
            "inputMappings": [
                {"target": "site", "source": name},
                {"target": "count", "source": f"$local.{counter}"},
                *self.kept(place),
            ],
        }
        body = [self.pick([self.task_step, self.pass_step])(place) for _ in range(self.number(0, 2))]
        again = {
            "type": "choice",
            "name": self.name("again"),
            "loops": True,
            "choices": [{"condition": f"$.{counter} < {self.number(1, 3)}", "goto": name}],
        }
        return [first, tick, *body, again]


def legacy_flow(random: Random, *, steps: int, depth: int = 3, only_waiting: bool = False) -> RandomFlow:
    """Return a random flow of the legacy language with about so many steps."""
    builder = _Legacy(random, steps, depth, only_waiting)
    definition: Json = {"version": "v1", "type": "flow", "steps": builder.steps(_Place(depth))}
    if builder.chance(30):
        sources = ["$local", "$local.a", "$local.b.p", "$input.a", "$local.code", "$input.list[*].id"]
        definition["outputMappings"] = [{"target": key, "source": builder.pick(sources)} for key in builder.keys(1, 2)]
    if builder.chance(15):
        kept = {"target": "list", "source": "$input.list"}
        definition["inputMappings"] = [kept, {"target": "a", "source": "$input.b"}, {"target": "b", "source": "$input"}]
    return RandomFlow(
        language="legacy",
        definition=definition,
        given=builder.flow_input(),
        answers=AnswersBySite(builder.answers),
    )
