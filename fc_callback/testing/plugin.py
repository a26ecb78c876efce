"""The pytest plugin of fc_callback: `local_cloudflow`, `fc_context` and `no_waiting`, see `fc_callback.testing`.

pytest loads it at every start, before coverage begins to measure. So a fixture imports what it needs when a test uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.testing import TaskCloudFlow


@pytest.fixture
def local_cloudflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskCloudFlow]:
    """A local CloudFlow for this test: `new_task`, `inject(Fault(...))`, `advance(seconds)`.

    Clients find it through the environment, which has its endpoint, region and access key.
    """
    try:
        from fc_callback.testing.tasks import TaskCloudFlow
    except ModuleNotFoundError as error:
        pytest.fail(
            f"local_cloudflow needs {error.name}, which is not installed: pip install 'fc-callback[local]'.",
            pytrace=False,
        )

    with TaskCloudFlow() as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield service


@pytest.fixture
def fc_context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Build contexts as FC's runtimes do: `fc_context()`, `fc_context("python3.12", retry_count=1)`.

    The arguments are those of `fc_callback.testing.make_context`. If the test uses `local_cloudflow`, the context has STS
    credentials that it accepts.
    """
    from fc_callback.testing import make_context, make_credentials

    def build(runtime: Any = "python3.10", **options: Any) -> Any:
        if "credentials" not in options:
            local = "local_cloudflow" in request.fixturenames
            service = request.getfixturevalue("local_cloudflow") if local else None
            options["credentials"] = service.session() if service else make_credentials()
        if runtime != "python3.12" or "environ" in options:
            return make_context(runtime, **options)
        variables: dict[str, str] = {}
        context = make_context(runtime, environ=variables, **options)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return context

    return build


@pytest.fixture
def no_waiting() -> Iterator[list[float]]:
    """Skip the pauses between attempts of reports in this test. The value is the list of their durations in seconds."""
    from fc_callback.testing import no_waiting as skipping

    with skipping() as waits:
        yield waits
