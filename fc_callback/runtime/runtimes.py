"""The runtimes of FC that can run Python, in one table.

Sources: FC documentation, "Python runtimes" (the Pythons, Debian releases and states of the built-in runtimes, all x86_64)
and "Custom runtimes" (zh 2025-04-15, en 2025-09-05: the Pythons of the Debian images and where they are). glibc is the
version that each Debian release ships. Image versions move on: a `custom.debian12` is listed as public preview in 2026.
"""

from __future__ import annotations

from typing import Final

import attrs

OLDEST_PYTHON: Final = (3, 10)
"""The oldest Python that fc_callback runs on."""


@attrs.frozen(kw_only=True)
class FcRuntime:
    """One runtime of FC.

    Attributes:
        id: As `runtime` in s.yaml says it.
        python: Its Python, like `(3, 12)`. None where the container image brings it.
        debian: The Debian release, like 11. None where the container image brings its own system.
        glibc: The C library, like `(2, 31)`. None where the container image brings it.
        path: The directory of its `python3`; None where that is unknown, or not needed (FC itself starts the function).
        path_line: The value of PATH that a start command needs to find that Python; None where it needs none.
        state: `supported`, `preview` or `old`: FC still runs it, and fc_callback does not run on it.
        profile: What to imitate on this machine: `python3.10`, `python3.12` or `custom`. None for an old one.
    """

    id: str
    python: tuple[int, int] | None = None
    debian: int | None = None
    glibc: tuple[int, int] | None = None
    path: str | None = None
    path_line: str | None = None
    state: str = "supported"
    profile: str | None = None

    @property
    def is_built_in(self) -> bool:
        """Whether FC calls the handler itself; a custom runtime starts a server of its own."""
        return self.id.startswith("python")

    @property
    def runs_fc_callback(self) -> bool:
        """Whether its Python is new enough. An image that brings its own Python may have any."""
        return self.python is None or self.python >= OLDEST_PYTHON


LANGUAGES_DIR: Final = "/var/fc/lang/"
"""Where the custom runtimes have the Pythons that FC adds to the system's own."""

_LANG_310 = f"{LANGUAGES_DIR}python3.10/bin"
_LANG_312 = f"{LANGUAGES_DIR}python3.12/bin"
_STANDARD_PATH = "/usr/local/bin:/usr/bin:/bin"

RUNTIMES: Final[dict[str, FcRuntime]] = {
    runtime.id: runtime
    for runtime in (
        FcRuntime(id="python3", python=(3, 6), state="old", debian=9, glibc=(2, 24)),
        FcRuntime(id="python3.9", python=(3, 9), state="old", debian=9, glibc=(2, 24)),
        FcRuntime(id="python3.10", python=(3, 10), profile="python3.10", debian=10, glibc=(2, 28)),
        # Copies of the page from early 2026 still say "public preview"; that of 2026-10-26 does not.
        FcRuntime(id="python3.12", python=(3, 12), profile="python3.12", debian=11, glibc=(2, 31)),
        # 3.7.4 cannot run this package. `custom` is also the name of the profile that all custom runtimes share.
        FcRuntime(id="custom", python=(3, 7), state="old", profile="custom", debian=9, glibc=(2, 24)),
        FcRuntime(
            id="custom.debian10",
            python=(3, 10),
            path=_LANG_310,
            path_line=f"{_LANG_310}:{_STANDARD_PATH}",  # a bare `python3` is an older one
            profile="custom",
            debian=10,
            glibc=(2, 28),
        ),
        FcRuntime(
            id="custom.debian11",
            python=(3, 12),
            path=_LANG_312,
            path_line=f"{_LANG_312}:{_STANDARD_PATH}",  # a bare `python3` is 3.9; 16 regions in 2024-11
            profile="custom",
            debian=11,
            glibc=(2, 31),
        ),
        FcRuntime(
            id="custom.debian12",
            python=(3, 11),
            path="/usr/bin",
            state="preview",
            profile="custom",
            debian=12,
            glibc=(2, 36),
        ),
        FcRuntime(id="custom-container", profile="custom"),
    )
}
"""By id, the oldest first."""

PROFILES: Final = tuple(dict.fromkeys(runtime.profile for runtime in RUNTIMES.values() if runtime.profile))
"""What a function can be run as on this machine: `python3.10`, `python3.12`, `custom`."""

RUNNABLE: Final = tuple(runtime.id for runtime in RUNTIMES.values() if runtime.profile)
"""The runtimes whose functions can be run on this machine. Those that FC calls over HTTP share the profile `custom`."""
