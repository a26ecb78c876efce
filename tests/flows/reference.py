"""A reference interpreter of both flow languages: plain recursion over the definition, without time and without a store.

It is written from the languages' documentation and shares nothing with the package. `interpret` says how an execution has to
end and which calls it has to make. Branches and iterations run one after the other here. What would then depend on their
order, or is not documented, raises `Unsettled`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import attrs

from tests.flows.reference_expressions import Unsettled

TOKEN = "<token>"
CAUSE = "on purpose"  # of each error that is reported
MAX_CALLS = 300
Strand: TypeAlias = tuple[
    tuple[int, int], ...
]  # for each parallel step around a call: which run of it, and which branch


class Failure(Exception):
    """A step failed with an error. The cause is None where its text is not documented."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        self.error = error
        self.cause = cause
        super().__init__(error, cause)


@attrs.frozen
class Answer:
    """What a function does at one call, or the third party reports.

    Attributes:
        kind: `result`, `digest` (a result that shows what the event was), `count` (the event's count and one more), `error`,
            or `silence` (no report comes).
        value: The result; or the name of the count; or the error's name.
    """

    kind: str
    value: Any = None

    def result(self, event: Any) -> Any:
        if self.kind == "result":
            return self.value
        if self.kind == "count":
            return {self.value: (event["count"] or 0) + 1}
        text = json.dumps(event, sort_keys=True)
        return {"of": hashlib.sha256(text.encode()).hexdigest()[:8], "size": len(text), "more": len(text) % 2 == 0}


class Answers(Protocol):
    """What the functions do; the same for the interpreter and for the functions that the service calls."""

    def at(self, function: str, event: Any, earlier: int) -> Answer:
        """Return what happens at a call, after `earlier` calls with an equal event."""

    def vary(self, function: str, event: Any) -> bool:
        """Return whether that depends on the number of earlier calls."""


@attrs.frozen
class AnswersBySite:
    """Answers by the event's `site`: the n-th call with an equal event gets the n-th of them, or else the last."""

    by_site: Mapping[str, Sequence[Answer]]

    def at(self, function: str, event: Any, earlier: int) -> Answer:
        of_site = self.by_site[event["site"]]
        return of_site[min(earlier, len(of_site) - 1)]

    def vary(self, function: str, event: Any) -> bool:
        of_site = self.by_site[event["site"]]
        return any(answer != of_site[0] for answer in of_site)


def key_of(event: Any) -> str:
    """Return the text that equal events have in common."""
    return json.dumps(event, sort_keys=True)


@attrs.frozen(kw_only=True)
class End:
    """How an execution ends.

    Attributes:
        status: `Succeeded` or `Failed`.
        output: The output; None unless it succeeded.
        error: The error's name; empty unless it failed.
        calls: The events of the calls that are made in any case.
        possible_calls: The events of calls that a failed sibling may have cancelled.
    """

    status: str
    output: Any = None
    error: str = ""
    calls: Counter[str]
    possible_calls: Counter[str]


class Recorder:
    """The calls and the use of global variables, with the strand of each."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.calls: list[tuple[str, Strand]] = []
        self.certain: Counter[str] = Counter()
        self.possible: Counter[str] = Counter()
        self.globals: dict[str, Any] = {}
        self._uses: list[tuple[str, bool, Strand]] = []
        self._strand: Strand = ()
        self._regions = 0

    def call(self, resource_arn: str, event: Any) -> Any:
        """Return a call's result, or raise its error."""
        function = resource_arn.removesuffix("/LATEST").rpartition("/")[2]
        key = key_of(event)
        earlier = [strand for known, strand in self.calls if known == key]
        if self.answers.vary(function, event) and (
            self.possible[key] or any(_at_once(strand, self._strand) for strand in earlier)
        ):
            raise Unsettled("equal calls at the same time, with answers that differ")
        if len(self.calls) >= MAX_CALLS:
            raise Unsettled("more calls than a test should make")
        self.calls.append((key, self._strand))
        self.certain[key] += 1
        answer = self.answers.at(function, event, len(earlier))
        if answer.kind == "error":
            raise Failure(answer.value, CAUSE if TOKEN in event.values() else None)
        if answer.kind == "silence":
            raise Failure("FnF.TaskTimeout")
        return answer.result(event)

    def use_globals(self, names: set[str], *, write: bool) -> None:
        """Note a use of global variables."""
        for name in names:
            for known, written, strand in self._uses:
                if name == known and (write or written) and _at_once(strand, self._strand):
                    raise Unsettled("a global variable that is written at the same time")
            self._uses.append((name, write, self._strand))

    def together(self, branches: Sequence[Callable[[], Any]]) -> list[Any]:
        """Return the outputs of what runs at the same time, or raise the error of the one that fails."""
        self._regions += 1
        region = self._regions
        outer = self.certain
        outputs: list[Any] = []
        failures: list[Failure | None] = []
        counts: list[Counter[str]] = []
        uses = len(self._uses)
        for place, branch in enumerate(branches):
            self.certain = Counter()
            with self._in(region, place):
                try:
                    outputs.append(branch())
                    failures.append(None)
                except Failure as failure:
                    failures.append(failure)
            counts.append(self.certain)
        self.certain = outer
        reasons = [failure for failure in failures if failure is not None]
        if not reasons:
            for count in counts:
                self.certain += count
            return outputs
        if len({(failure.error, failure.cause) for failure in reasons}) > 1:
            raise Unsettled("branches that fail with different errors")
        if any(written for _, written, _ in self._uses[uses:]):
            raise Unsettled("a global variable that a cancelled branch may have written")
        for count, failed in zip(counts, failures, strict=True):
            if failed is not None and len(reasons) == 1:
                self.certain += count
            else:
                self.possible += count  # time decides which calls are made before the branch is cancelled
        raise reasons[0]

    @contextmanager
    def _in(self, region: int, place: int) -> Iterator[None]:
        outer = self._strand
        self._strand = (*outer, (region, place))
        try:
            yield
        finally:
            self._strand = outer


def _at_once(one: Strand, other: Strand) -> bool:
    for (region, place), (other_region, other_place) in zip(one, other, strict=False):
        if (region, place) != (other_region, other_place):
            return region == other_region
    return False


def finish(recorder: Recorder, run: Callable[[], Any]) -> End:
    """Run an execution and say how it ends."""
    try:
        output = run()
    except Failure as failure:
        return End(status="Failed", error=failure.error, calls=recorder.certain, possible_calls=recorder.possible)
    return End(status="Succeeded", output=output, calls=recorder.certain, possible_calls=recorder.possible)


def with_rules(
    attempt: Callable[[int], Any],
    retry: list[dict[str, Any]],
    *,
    most: str,
) -> Any:
    """Return what an attempt returns; retry it by the first rule for its error. The argument of an attempt is its number.

    `most` is the name of a rule's attribute with the largest number of retries.
    """
    used = [0] * len(retry)
    number = 0
    while True:
        try:
            return attempt(number)
        except Failure as failure:
            place = rule_for(retry, "errors" if most == "maxAttempts" else "Errors", failure.error)
            if place is None or used[place] >= retry[place].get(most, 3):
                raise
            if number > used[place]:
                raise Unsettled("retries by more than one rule: how they are counted is not documented") from None
            used[place] += 1
            number += 1


def rule_for(rules: list[dict[str, Any]], key: str, error: str) -> int | None:
    """Return the place of the first rule for an error."""
    return next((place for place, rule in enumerate(rules) if error in rule[key] or "FnF.ALL" in rule[key]), None)
