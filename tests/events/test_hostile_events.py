"""Events that are nearly right, through every class: the event, or a typed error that shows nothing."""

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cbor2
import pytest

from fc_callback.errors import PayloadInvalid
from fc_callback.events import Batch, Event, TablestoreEvent
from tests.events.event_samples import CLASSES, SAMPLES, TOKEN, decoded
from tests.profiles import by_profile

SEED = 20250102
EXAMPLES = by_profile(300, 10_000)
_PROPERTIES = (
    "text",
    "body_bytes",
    "dedup_key",
    "before",
    "after",
    "topic",
    "attributes",
    "key",
    "values",
    "unique_key",
)
_PIECES = [b"null", b"5", b"-1e400", b'"x"', b"[]", b"{}", b"true", b'"\\ud800"', b'"2025-01-01"', b"1e30", b"9" * 20]
_PIECES += [b"NaN", b'""', b'"eyJhIjoxfQ=="', b"[" * 500 + b"]" * 500, b'"\\ud800": 1, "k"']


def misshapen(seed: int, count: int) -> Iterator[bytes]:
    """Put something else in the place of a few values and keys of a sample."""
    dice = random.Random(seed)
    samples = [path.read_bytes() for path in sorted(SAMPLES.iterdir())]
    for _ in range(count):
        event = dice.choice(samples)
        spots = list(re.finditer(rb'"[^"]*"|-?\d+|true|false|null', event))
        chosen = dice.sample(spots, min(len(spots), dice.randint(1, 4)))
        for spot in sorted(chosen, key=lambda spot: -spot.start()):
            event = event[: spot.start()] + dice.choice(_PIECES) + event[spot.end() :]
        yield event


def refusal_of(act: Callable[[], object]) -> str:
    """All that the error says, if there is one; any error but a typed one goes through."""
    try:
        act()
    except PayloadInvalid as error:
        return f"{error!r} {error} {error.problems}"
    return ""


def read(cls: type[Event], raw: bytes | bytearray) -> None:
    event: Any = cls.parse(raw)
    parts = [event, *(event if isinstance(event, Batch) else ()), *getattr(event, "records", ())]
    parts += [part.data for part in parts if hasattr(part, "data")]
    for part in parts:
        assert TOKEN[:24] not in f"{part!r}" or not hasattr(part, "model_fields_set")
        for name in _PROPERTIES:
            said = refusal_of(partial(getattr, part, name, None))
            assert TOKEN[:24] not in said


@pytest.mark.thorough
def test_misshapen_events_are_read_or_refused_with_a_typed_error_that_shows_no_token() -> None:
    print(f"seed {SEED}")
    outcomes = {"read": 0, "refused": 0}
    for event in misshapen(SEED, EXAMPLES):
        for cls in set(CLASSES.values()):
            said = refusal_of(partial(read, cls, event))
            assert TOKEN[:24] not in said, event
            assert len(said) < 9000, event
            outcomes["refused" if said else "read"] += 1
    assert min(outcomes.values()) > EXAMPLES // 4, outcomes


@pytest.mark.thorough
def test_broken_cbor_is_read_or_refused() -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    whole = cbor2.dumps(decoded("tablestore-decoded"))
    for _ in range(EXAMPLES):
        event = bytearray(whole)
        for _ in range(dice.randint(1, 5)):
            event[dice.randrange(len(event))] = dice.randrange(256)
        assert len(refusal_of(partial(read, TablestoreEvent, event))) < 9000
