"""A real browser that looks at the console page. It reaches nothing but this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import pytest

from tests.parts import CHROMIUM, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

    from fc_callback.local import LocalCloudFlow

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]


# Not longer than a module: Playwright keeps an event loop running in this thread, and other tests run their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    need("Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@attrs.define(slots=False)  # Playwright keeps its wrappers on the object
class Window:
    """A browser's window. It records what a person would never see, but should not happen."""

    context: BrowserContext
    page: Page
    problems: list[str] = attrs.field(factory=list)
    bodies: list[str] = attrs.field(factory=list)

    @classmethod
    def open(cls, browser: Browser, **options: object) -> Window:
        context = browser.new_context(**{"viewport": WIDE, **options})  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        window = cls(context=context, page=context.new_page())
        window.page.on("pageerror", lambda error: window.problems.append(f"error: {error}"))
        window.page.on("console", window._record_message)
        window.page.on("request", window._check_address)
        return window

    def _record_message(self, message: ConsoleMessage) -> None:
        # Leaving a page cancels the news that it is asking for, and htmx logs that.
        if message.type == "error" and not message.text.startswith(("htmx:sendAbort", "htmx:afterRequest")):
            self.problems.append(message.text)

    def _check_address(self, request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            self.problems.append(f"asks for {request.url}")


@pytest.fixture
def window(chromium: Browser, service: LocalCloudFlow) -> Iterator[Window]:
    """A window that is closed before the service: a page that asks for news meets no closed port."""
    del service
    window = Window.open(chromium)
    yield window
    window.context.close()
    assert window.problems == [], "\n".join(window.problems)
