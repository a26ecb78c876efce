"""The error of a build."""

from __future__ import annotations

from fc_callback.errors import FcCallbackError


class BuildError(FcCallbackError):
    """The dependencies cannot be put into the package.

    Attributes:
        tool: The installer that failed, `uv` or `pip`; empty if the build itself refuses.
        said: What the installer said, in its own words.
    """

    tool: str = ""
    said: str = ""

    def __init__(self, message: str, *, hint: str | None = None, tool: str = "", said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tool, self.said = tool, said

    @property
    def summary(self) -> str:
        """Our own words."""
        return super().__str__()

    @property
    def quotation(self) -> str:
        """The words of the installer, marked as such; empty if it said nothing."""
        if not self.said:
            return ""
        return "\n".join([f"{self.tool} says:", *(f"  | {line}" for line in self.said.strip().splitlines())])

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.summary, self.quotation)))
