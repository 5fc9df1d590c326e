"""A headless Chromium at the operators' console, and what it did: requests, errors, dialogs.

The browser is the machine's own (Debian's package); Playwright only drives it. The page's policy
forbids evaluating texts, so what is to be known is read from the page as a person would: by roles,
labels and texts.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.emulator import REPOSITORY

if TYPE_CHECKING:
    from playwright.async_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
SCREENSHOTS = REPOSITORY / ".local" / "screenshots"
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
# What the test waits for is there long before, or never.
_PATIENCE_MS = 20_000


@dataclass
class Visit:
    """A page, and what it has done so far."""

    page: "Page"
    base: str
    path: str = "/api/console"
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def open(self, view: str = "orders") -> None:
        """The console shows this view with what belongs in it, and is live."""
        # Beside the view alone nothing would be loaded anew.
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.base}{self.path}#{view}")
        await self.shown()

    async def shown(self) -> None:
        """What belongs in the view is there, and the page is live."""
        await self.page.locator("main[aria-busy=false]").wait_for()
        await self.page.locator("#live[data-state=on]").wait_for()

    async def picture(self, name: str) -> None:
        """Keeps what is to be seen, for whoever wants to look."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@asynccontextmanager
async def visiting(base: str, path: str = "/api/console", **context: Any) -> AsyncIterator[Visit]:
    """A new browser; at the end it has met no trouble and asked nobody else."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        page = await (await browser.new_context(**context)).new_page()
        page.set_default_timeout(_PATIENCE_MS)
        visit = Visit(page, base, path)
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("pageerror", lambda error: visit.troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: visit.troubles.append(f"dialog: {dialog.message}"))
        page.on("console", lambda message: _note(visit, message))
        try:
            yield visit
            assert visit.troubles == []
            assert {url for url in visit.requests if not _is_own(url, base)} == set()
        finally:
            await browser.close()


def _note(visit: Visit, message: Any) -> None:
    # A status of 400 and above is an answer like any other, which the browser calls an error.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        visit.troubles.append(f"console: {message.text}")


def _is_own(url: str, base: str) -> bool:
    return url.startswith((base + "/", "data:", "about:"))
