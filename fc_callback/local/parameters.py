"""Reads the parameters of operations, with checks.

Source: the API metadata of fnf 2019-03-15 (`aliyun-openapi-meta`, `en-US/fnf`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.errors import CAUSE_MAX_CHARACTERS, ERROR_MAX_CHARACTERS
from fc_callback.flows.definition import NAME_PATTERN
from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.clock import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WAIT_SECONDS = 60


def required(parameters: Mapping[str, str], name: str, *, blank: bool = False) -> str:
    """Return a required parameter.

    Raises:
        ApiError: It is missing, or empty although `blank` is false.
    """
    value = parameters.get(name)
    if value is None or (not value and not blank):
        raise ApiError("MissingRequiredParams", name)
    return value


def number_parameter(parameters: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number, or the default.

    Raises:
        ApiError: It is not such a number, or out of bounds.
    """
    text = parameters.get(name) or str(default)
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(high))  # int() refuses thousands of digits
    if not is_number or not low <= int(text) <= high:
        raise invalid_argument(f"{name} must be a number from {low} to {high}.")
    return int(text)


def wait_seconds(given: Mapping[str, str]) -> int:
    """Return how long DescribeExecution waits for the end of the execution.

    Raises:
        ApiError: The number is out of bounds.
    """
    return number_parameter(given, "WaitTimeSeconds", 0, 0, MAX_WAIT_SECONDS)


def check_new_flow(given: Mapping[str, str]) -> None:
    """Check the parameters of CreateFlow, except that the definition is not read.

    Raises:
        ApiError: One of them is missing, or cannot be used.
    """
    name, _definition = required(given, "Name"), required(given, "Definition")
    _description, kind = required(given, "Description", blank=True), required(given, "Type")
    if not NAME_PATTERN.fullmatch(name):
        raise invalid_argument("A flow's name has 1 to 128 letters, digits, _ and -, and begins with a letter or _.")
    check_type(kind)
    if given.get("ExecutionMode", "") not in {"", "Standard", "Express"}:
        raise invalid_argument("ExecutionMode must be Standard or Express.")


def check_type(kind: str) -> None:
    """Check the type of a flow's definition.

    Raises:
        ApiError: It is another one.
    """
    if kind not in {"FDL", "DEFAULT"}:
        raise invalid_argument("Type must be FDL.")


def checked_cause(error: str, given: Mapping[str, str]) -> str:
    """Return the cause of an error.

    Raises:
        ApiError: The error or its cause is too long.
    """
    cause = given.get("Cause", "")
    if len(error) > ERROR_MAX_CHARACTERS or len(cause) > CAUSE_MAX_CHARACTERS:
        limits = f"1 to {ERROR_MAX_CHARACTERS} and Cause up to {CAUSE_MAX_CHARACTERS}"
        raise invalid_argument(f"Error may have {limits} characters.")
    return cause


def time_parameter(given: Mapping[str, str], name: str, default: float) -> float:
    """Return a time in seconds since the epoch, or the default.

    Raises:
        ApiError: It is not a time.
    """
    text = given.get(name)
    if not text:
        return default
    parsed = parse_time(text)
    if parsed is None:
        raise invalid_argument(f"{name} must be a time like 2020-09-22T23:43:40Z.")
    return parsed
