"""Random flows of CloudFlow's own language."""

from __future__ import annotations

from random import Random
from typing import Any

import attrs

from tests.flows.random_flows import FUNCTION, KEYS, Builder, RandomFlow
from tests.flows.reference import AnswersBySite

Json = dict[str, Any]
KINDS = ["Pass", "Task", "Task", "Task", "Wait", "Choice", "Choice", "Map", "Map", "Parallel", "Parallel", "Loop"]
REFERENCES = [
    "$Input.a",
    "$Input.b",
    "$Input.c",
    "$Input.a.p",
    "$Input.b.q[0]",
    "$Context.Execution.Input.a",
    "$Input.nothing",
]
CALLS = [
    'format("hello {}", $Context.Execution.Name)',
    "intAdd(2, 3)",
    'length(["x", 2])',
    'arrayContains([1, "x"], "x")',
    'jsonMerge({"p": 1}, {"q": [2]})',
    'stringToJson("[1, 2]")[1]',
]


@attrs.frozen
class _Place:
    """Where a list of states stands.

    Attributes:
        depth: How many levels may follow.
        carried: The members of the input that each state keeps in its output.
        in_map: Whether it is the processor of a Map.
        steady: Whether calls get the same answer each time: in a Map in a Map, whose iterations cannot be told apart.
        in_branch: Whether it is in a Parallel.
    """

    depth: int
    carried: tuple[str, ...] = ()
    in_map: bool = False
    steady: bool = False
    in_branch: bool = False


class _CloudFlow(Builder):
    def scope(self, place: _Place) -> Json:
        """Return a list of states with its start."""
        last: Json = {"Type": "Succeed", "Name": self.name("last")}
        if self.chance(50):
            last = {**last, "Type": "Pass", "End": True}
        if self.chance(40):
            last["OutputConstructor"] = self.constructor(place)
        if (place.in_branch or place.in_map) and not self.only_waiting and self.chance(8):
            last = {"Type": "Fail", "Name": last["Name"], "Code": self.pick(["ErrA", "Broken"]), "Detail": "why"}
        states, start = self.sequence(place, last["Name"], least=self.several(2), most=4)
        return {"StartAt": start, "States": [*states, last]}

    def sequence(self, place: _Place, following: str, *, least: int, most: int) -> tuple[list[Json], str]:
        """Return states that lead to `following`, and the name of the first."""
        states: list[Json] = []
        for _ in range(self.number(least, most)):
            if self.steps_left <= 0:
                break
            kind = self.kind(KINDS, place.depth)
            new, following = getattr(self, f"{kind.lower()}_state")(place, following)
            states = [*new, *states]
        return states, following

    def source(self, *more: str) -> tuple[str, Any]:
        """Return the suffix of a key, and the expression or the constant."""
        if self.chance(25):
            return "", self.pick([self.value(), "$Input.a", {"r.$": "$Input.b", "s": 1}])
        keys = [f"$Input.{key}" for key in (*KEYS, "nothing", "a.p", "b.q[0]")]
        others = [
            "$Context.Execution.Input.a",
            "$Context.Current.Name",
            *("$Global.g", "$Global.h", "$Global.g", "$Global.h"),
            "$Context.Execution.Input.list[0].id",
        ]
        return ".$", self.pick([*keys, *more, *more, *others, *CALLS])

    def constructor(self, place: _Place, *more: str) -> Json:
        built: Json = {}
        for key in self.keys(0, 3):
            suffix, value = self.source(*more)
            built[key + suffix] = value
        return {**built, **self.kept(place)}

    def kept(self, place: _Place) -> Json:
        return {f"{name}.$": f"$Input.{name}" for name in place.carried}

    def shape(self, place: _Place, state: Json, *results: str) -> Json:
        """Add constructors to a state; one that replaces the output has to keep what is carried."""
        if self.chance(20):
            state["InputConstructor"] = {**self.constructor(place), **state.pop("needs", {})}
        if "needs" in state:
            state["InputConstructor"] = {**self.kept(place), **state.pop("needs")}
        if (place.carried and results) or self.chance(50):
            state["OutputConstructor"] = self.constructor(place, *results)
        if not place.in_map and self.chance(35):
            name = f"of{state['Name']}" if place.in_branch else self.pick(["g", "h"])
            source = self.pick([*results, "$Input.a"])
            state["GlobalConstructor"] = {f"{name}.$": source}
        return state

    def rules(self, place: _Place, state: Json, following: str) -> list[Json]:
        """Add Retry and Catch to a state; return the states of the handlers."""
        handlers: list[Json] = []
        often = 40
        if self.only_waiting:  # so that often the step around a failed task has to cancel what it runs, and goes on
            often = 20 if state["Type"] == "Task" else 85
        if self.chance(often):
            rule: Json = {
                "Errors": self.errors(),
                "Description": "r",
                "MaxAttempts": self.number(0, 2),
                "IntervalSeconds": 1,
            }
            if self.chance(50):
                rule["BackoffRate"] = 2
            state["Retry"] = [rule]
        if self.chance(often):
            state["Catch"] = []
            for _ in range(self.number(1, 2)):
                target = following
                if self.chance(50):
                    more, target = self.pass_state(place, following)
                    handlers += more
                caught: Json = {"Errors": self.errors(), "Description": "c", "Next": target}
                if self.chance(60):
                    code, detail = "$Context.Current.Error.Code", "$Context.Current.Error.Detail"
                    caught["OutputConstructor"] = self.constructor(place, code, code, detail)
                state["Catch"].append(caught)
        return handlers

    def pass_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        state = self.shape(place, {"Type": "Pass", "Name": self.name("pass"), "Next": following})
        return [state], state["Name"]

    def wait_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        state: Json = {"Type": "Wait", "Name": self.name("wait"), "Next": following}
        if self.chance(50):
            state["Seconds"] = self.number(1, 3)
        else:
            state = {**state, "needs": {"pause": self.number(1, 3)}, "Seconds.$": "$Input.pause"}
        return [self.shape(place, state)], state["Name"]

    def task_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        name = self.name("task")
        body: Json = {"site": name, **self.kept(place)}
        for key in self.keys(0, 2):
            suffix, value = self.source("$Input", "$Context.Current.RetryCount")
            body[key + suffix] = value
        parameters: Json = {"resourceArn": f"acs:fc:::services/s.LATEST/functions/{FUNCTION}", "invocationType": "Sync"}
        state: Json = {"Type": "Task", "Name": name, "Action": "FC:InvokeFunction", "Next": following}
        reported = self.only_waiting or self.chance(50)
        results = ["$Output.Body.of", "$Output.Body", "$Output.Body.a", "$Output"]
        if reported:
            body["taskToken.$"] = "$Context.Current.TaskToken"
            parameters["invocationType"] = "Async" if self.only_waiting else self.pick(["Async", "Sync"])
            state |= {"TaskMode": "WaitForCustomCallback", "Timeout": self.number(4, 9)}
            results = ["$Output.of", "$Output.a", "$Output"]
        elif self.chance(50):
            state["TaskMode"] = "RequestComplete"
        state["Parameters"] = {**parameters, "body": body}
        self.add_answers(name, reported=reported, steady=place.steady, objects=False)
        state = self.shape(place, state, *results)
        return [*self.rules(place, state, following), state], name

    def choice_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        state: Json = {"Type": "Choice", "Name": self.name("choice"), "Branches": []}
        inner = attrs.evolve(place, depth=place.depth - 1)
        states: list[Json] = []
        if self.chance(20):
            state["InputConstructor"] = self.constructor(place)
        for _ in range(self.number(1, 2)):
            more, target = self.alternative(inner, following)
            states += more
            state["Branches"].append({"Condition": self.condition(REFERENCES), "Next": target})
        more, state["Default"] = self.alternative(inner, following)
        return [state, *states, *more], state["Name"]

    def alternative(self, place: _Place, following: str) -> tuple[list[Json], str]:
        if not self.only_waiting and self.chance(8):
            state: Json = {"Type": "Fail", "Name": self.name("fail"), "Code": "ErrB", "Detail": "why"}
            return [state], state["Name"]
        if self.chance(8):
            state = {"Type": "Succeed", "Name": self.name("succeed")}
            state["OutputConstructor"] = self.constructor(place)
            return [state], state["Name"]
        return self.sequence(place, following, least=0, most=2)

    def parallel_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        inner = attrs.evolve(place, depth=place.depth - 1, in_branch=True)
        state: Json = {"Type": "Parallel", "Name": self.name("parallel"), "Next": following}
        state["Branches"] = [self.scope(inner) for _ in range(self.several(3))]
        state = self.shape(place, state, "$Output.Branch0", "$Output.Branch0.a", "$Output.Branch1.b", "$Output.Branch9")
        return [*self.rules(place, state, following), state], state["Name"]

    def map_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        inner = _Place(place.depth - 1, carried=("id",), in_map=True, steady=place.in_map)
        state: Json = {"Type": "Map", "Name": self.name("map"), "Next": following}
        kind = self.pick(["input", "constant", "scalars"])
        state["Processor"] = self.scope(inner)
        if kind == "input":
            state["ItemsPath"] = "$Context.Execution.Input.list"
        else:
            objects = self.elements(self.object)
            state["needs"] = {"items": [{**each, "id": place} for place, each in enumerate(objects)]}
            state["ItemsPath"] = "$Input.items"
        if kind == "scalars":
            state["needs"] = {"items": self.random.sample([0, 1, 2, True, "x", ""], self.number(0, 3))}
            first = {"Type": "Pass", "Name": self.name("pass"), "InputConstructor": {"id.$": "$Input"}}
            state["Processor"]["States"].append({**first, "Next": state["Processor"]["StartAt"]})
            state["Processor"]["StartAt"] = first["Name"]
        if self.chance(40):
            state[self.pick(["MaxConcuccency", "MaxConcurrency"])] = self.number(1, 3)
        state = self.shape(
            place, state, "$Output.Items", "$Output.Items[0]", "$Output.Items[0].a", "$Output.Items[*].a"
        )
        return [*self.rules(place, state, following), state], state["Name"]

    def loop_state(self, place: _Place, following: str) -> tuple[list[Json], str]:
        """Return a counter, the states of a loop, and the choice that goes back."""
        again = self.name("again")
        counter = again.replace("again", "n")
        looping = attrs.evolve(place, depth=0, carried=(*place.carried, counter))
        count: Json = {"Type": "Pass", "Name": self.name("count"), "Next": again}
        count["InputConstructor"] = {
            **self.kept(place),
            f"{counter}.$": f"intAdd($Input.{counter}, 1)",
            "a.$": "$Input.a",
        }
        states, start = self.sequence(looping, count["Name"], least=0, most=2)
        first: Json = {"Type": "Pass", "Name": self.name("init"), "Next": start}
        first["InputConstructor"] = {**self.kept(place), counter: 0, "a.$": "$Input.a", "b.$": "$Input.b"}
        branch = {"Condition": f"$Input.{counter} < {self.number(1, 3)}", "Next": start}
        choice = {"Type": "Choice", "Name": again, "Branches": [branch], "Default": following}
        return [first, *states, count, choice], first["Name"]


def cloudflow_flow(random: Random, *, steps: int, depth: int = 3, only_waiting: bool = False) -> RandomFlow:
    """Return a random flow of CloudFlow's own language with about so many states."""
    builder = _CloudFlow(random, steps, depth, only_waiting)
    definition: Json = {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", **builder.scope(_Place(depth))}
    if builder.chance(50):
        first: Json = {
            "Type": "Pass",
            "Name": "globals",
            "Next": definition["StartAt"],
            "GlobalConstructor": {"g": 1, "h": 2},
        }
        definition["States"].append(first)
        definition["StartAt"] = "globals"
        definition["States"][-2]["OutputConstructor"] = {"g.$": "$Global.g", "h.$": "$Global.h", "all.$": "$Input"}
    return RandomFlow(
        language="cloudflow",
        definition=definition,
        given=builder.flow_input(),
        answers=AnswersBySite(builder.answers),
    )
