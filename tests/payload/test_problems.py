"""What pydantic finds wrong, told without the values it was found in."""

import uuid
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fc_callback.errors import PayloadInvalid
from fc_callback.payload.problems import payload_invalid

SECRET = "sesame-open-sesame"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Order(BaseModel):
    id: uuid.UUID | None = None
    lines: list[int] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    by_name: dict[str, int] = {}
    note: str = ""

    @field_validator("note")
    @classmethod
    def _plain(cls, note: str) -> str:
        if note:
            raise ValueError(f"a note must not say {note}, it must be empty")
        return note


def invalid(payload: Any) -> PayloadInvalid:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(payload)
    return payload_invalid(caught.value)


def test_each_problem_has_its_path_and_words() -> None:
    error = invalid({"lines": [1, "two"], "note": 5})
    assert error.problems[0] == (
        "$.lines[1]",
        "Input should be a valid integer, unable to parse string as an integer",
    )
    assert str(error).startswith("The payload does not fit Order: $.lines[1]: Input should be")


def test_a_problem_that_is_a_sentence_ends_with_one_period() -> None:
    class Reading(BaseModel):
        model_config = ConfigDict(val_json_bytes="base64")
        data: bytes

    with pytest.raises(ValidationError) as caught:
        Reading.model_validate_json('{"data": "no base64!"}')
    assert caught.value.errors()[0]["msg"].endswith(".")
    assert str(payload_invalid(caught.value, hint="Send base64.")).endswith("2. Send base64.")


@pytest.mark.parametrize(
    "payload",
    [
        {"id": SECRET},
        {"lines": [SECRET]},
        {"pet": {"kind": SECRET}},
        {"note": SECRET},
        {"by_name": {SECRET * 3: "x"}},
        SECRET,
    ],
    ids=["uuid", "integer", "tag", "the model's own check", "key", "whole"],
)
def test_no_value_is_shown(payload: Any) -> None:
    error = invalid(payload)
    assert SECRET not in f"{error} {error!r} {error.problems}"


def test_the_words_of_a_model_s_own_check_are_kept() -> None:
    assert "a note must not say ***, it must be empty" in str(invalid({"note": SECRET}))


def test_many_problems_are_counted_and_the_first_few_told() -> None:
    error = invalid({"lines": ["x"] * 100})
    assert len(error.problems) == 100
    assert "; and 95 more." in str(error)
