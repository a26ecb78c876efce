"""Random flows of both languages, with inputs and answers: bounded in size, and each of them ends.

Each task puts its own name as `site` into its event, and, in an iteration, something that tells the iterations apart. So the
answer to a call does not depend on the order of calls that are made at the same time. All tasks call the function `work`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs

from tests.flows.reference import Answer, AnswersBySite

FUNCTION = "work"
KEYS = ["a", "b", "c", "d"]
ERRORS = ["ErrA", "ErrB"]
ANY = "FnF.ALL"
TIMEOUT = "FnF.TaskTimeout"
NESTED = {"choice", "foreach", "map", "parallel", "loop"}
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]


@attrs.frozen(kw_only=True)
class RandomFlow:
    """A definition, an input, and what the functions do."""

    language: str
    definition: dict[str, Any]
    given: dict[str, Any]
    answers: AnswersBySite

    def steady(self) -> RandomFlow:
        """Return the same flow with functions that give equal calls the same answer each time."""
        first = {site: answers[:1] for site, answers in self.answers.by_site.items()}
        return attrs.evolve(self, answers=AnswersBySite(first))


@attrs.define
class Builder:
    """What the generators of both languages share: choices, unique names, and the steps that are left.

    With `only_waiting`, all tasks wait for a report, no function sends one, and many tasks wait at the same time.
    """

    random: Random
    steps_left: int
    depth: int
    only_waiting: bool = False
    answers: dict[str, list[Answer]] = attrs.field(factory=dict)
    _number: int = 0

    def pick(self, options: Sequence[Any]) -> Any:
        return self.random.choice(options)

    def chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def number(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def keys(self, least: int, most: int) -> list[str]:
        return self.random.sample(KEYS, self.number(least, most))

    def scalar(self) -> Any:
        return self.pick([*range(-1, 5), True, False, "x", "ready", ""])

    def scalars(self) -> list[Any]:
        return [self.scalar() for _ in range(self.number(0, 2))]

    def value(self) -> Any:
        """Return a JSON value; null only as a member of an object."""
        nested: dict[str, Any] = {"p": self.scalar(), "q": self.scalars(), "k": None}
        return self.pick([self.scalar(), self.scalar(), self.scalars(), nested])

    def object(self) -> dict[str, Any]:
        return {key: self.value() for key in self.keys(0, 3)}

    def flow_input(self) -> dict[str, Any]:
        """Return the input of a flow; `list` is a list of objects that can be told apart."""
        elements = self.elements(self.object)
        return {**self.object(), "list": [{**element, "id": place} for place, element in enumerate(elements)]}

    def name(self, prefix: str) -> str:
        """Return a new name, and use one of the steps that are left."""
        self._number += 1
        self.steps_left -= 1
        return f"{prefix}{self._number}"

    def several(self, most: int) -> int:
        """Return a number of steps or branches."""
        return self.number(2 if self.only_waiting else 1, most)

    def elements(self, make: Callable[[], Any]) -> list[Any]:
        """Return the list of a foreach or Map."""
        return [make() for _ in range(self.number(2 if self.only_waiting else 0, 3))]

    def kind(self, kinds: list[str], depth: int) -> str:
        """Return the kind of the next step; nested kinds only while there are levels and steps left."""
        nested = [kind for kind in kinds if kind.lower() in NESTED]
        simple = [kind for kind in kinds if kind not in nested]
        if self.only_waiting:
            simple = [kind for kind in simple if kind.lower() == "task"] * 3 + simple
            nested = [kind for kind in nested if kind.lower() not in {"choice", "loop"} or depth < self.depth]
            nested = [kind for kind in nested if kind != "loop"]  # a function counts the rounds of a legacy loop
            if depth == self.depth and self.steps_left > 2:
                simple = []
        return str(self.pick(simple + (nested if depth > 0 and self.steps_left > 2 else [])))

    def add_answers(self, site: str, *, reported: bool, steady: bool, objects: bool, errors: bool = True) -> None:
        """Choose what happens at the calls of a task."""
        if self.only_waiting:
            self.answers[site] = [Answer("silence")]
            return
        kinds = ["digest", "digest", "digest", "result", "result"] + ["error", "error"] * errors
        count = 1 if steady else self.number(1, 3)
        self.answers[site] = [
            self._answer(self.pick([*kinds, "silence"] if reported else kinds), objects=objects or reported)
            for _ in range(count)
        ]

    def _answer(self, kind: str, *, objects: bool) -> Answer:
        if kind == "error":
            return Answer(kind, self.pick(ERRORS))
        if kind != "result":
            return Answer(kind)
        if objects or self.chance(60):
            return Answer(kind, self.object())
        return Answer(kind, self.pick(["plain text", self.scalars()]))

    def errors(self) -> list[str]:
        """Return the error names of a rule."""
        return list(self.pick([[ANY], ["ErrA"], ["ErrB"], ["Other"], ["ErrA", "ErrB"], [TIMEOUT]]))

    def condition(self, references: list[str]) -> str:
        """Return a condition on values of the input."""
        single = self._comparison(references)
        if self.chance(30):
            other = self._comparison(references)
            single = self.pick([f"{single} && {other}", f"{single} || {other}", f"({single} || {other}) && {single}"])
        return str(single)

    def _comparison(self, references: list[str]) -> str:
        left = self.pick(references)
        if self.chance(25):
            return str(left)
        right = self.pick(["1", "0", "-1", "2.5", '"x"', "`ready`", "true", "false", *references])
        sign = self.pick(COMPARISONS[:2] if right in {"true", "false"} else COMPARISONS)
        return f"{left} {sign} {right}"
