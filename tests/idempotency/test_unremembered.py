"""The null object in the place of a `Work`, for a handler without `once`."""

from __future__ import annotations

import inspect

import pytest

from fc_callback.idempotency import NO_WORK, Work, once
from fc_callback.idempotency.memory import MemoryStore

STEPS = {name for name, _ in inspect.getmembers(Work, inspect.isfunction) if not name.startswith("_")}


@pytest.fixture
def work() -> Work:
    return once("order", store=MemoryStore()).enter({"order": 1}, scope="f")


def test_it_has_every_attribute_that_a_work_has(work: Work) -> None:
    public = {name for name in dir(work) if not name.startswith("_")}
    assert public == {name for name in dir(NO_WORK) if not name.startswith("_")}


@pytest.mark.parametrize("step", sorted(STEPS))
def test_each_step_takes_what_a_work_takes_and_changes_nothing(step: str, work: Work) -> None:
    taken = inspect.signature(getattr(Work, step)).parameters
    required = [name for name, one in taken.items() if one.default is one.empty and name != "self"]
    getattr(NO_WORK, step)(*required, until=None)
    inspect.signature(getattr(work, step)).bind(*required, until=None)
    assert (NO_WORK.stored, NO_WORK.record, NO_WORK.release_hint) == (None, None, "")
    assert (NO_WORK.is_remembered, NO_WORK.is_reported, NO_WORK.came_before, NO_WORK.is_written) == (
        False,
        False,
        False,
        True,
    )


def test_a_work_names_itself_and_says_how_to_release_it(work: Work) -> None:
    assert str(work) == f"the work of f ({work.record.key})"
    assert work.release_hint.endswith(f"fc-callback redeliver STORE --forget {work.record.key}")
    assert work.is_remembered
