"""The tests of definitions run what they read on a local CloudFlow."""

from tests.local.conftest import raw, service

__all__ = ["raw", "service"]
