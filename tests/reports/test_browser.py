"""The pages as a browser shows them: from the file alone, on a wide screen and on a phone."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from drugmon.data.history.records import ReportRecord
from drugmon.monitoring.checks.summary import Summary
from drugmon.reports.analysts.pages import EvidentlyInput
from drugmon.reports.comparison import render_comparison
from drugmon.reports.morning import write_page
from drugmon.reports.trends import write_index
from tests.reports.test_comparison import make_comparison

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
SCRIPT = "<script>alert(1)</script>"
FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
SEEN = 20
"""Of 255 steps of grey; half of it is hard to see."""
CUT = (
    "[...document.querySelectorAll('main *')].filter(each => each.clientWidth > 1"
    " && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(each).overflowX)"
    " && each.scrollWidth > each.clientWidth + 1)"
)
"""What is wider than its place and is cut there, unless it is for screen readers alone."""
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no chromium and chromedriver here (Debian: packages chromium and chromium-driver)",
)
Nights = Mapping[str, Callable[[], Summary]]


class Browser:
    """A headless Chromium that tells what a page asked for and complained of."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # With the driver's path, selenium looks for no other one and downloads nothing.
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def open(self, page: Path, width: int = 1280, scheme: str = "light") -> None:
        """Load `page` in a window of `width` pixels; `scheme` is light or dark."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(page.as_uri())

    def ask(self, script: str) -> Any:
        """What a line of JavaScript gives: that of the test, the page has none."""
        return self.driver.execute_script(f"return {script}")

    def complaints(self) -> list[str]:
        """What stands in the console."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found

    def shades(self, element: WebElement, surface: str) -> tuple[bool, bool]:
        """Whether the left and the right end of `element` differ from its ground, as one sees."""
        place = self.driver.execute_script(
            "const at = arguments[0].getBoundingClientRect();"
            "return {x: at.x + scrollX, y: at.y + scrollY, width: at.width, height: at.height}",
            element,
        )
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot",
            {"captureBeyondViewport": True, "clip": {**place, "scale": 1}},
        )
        picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("L")
        ground = ImageColor.getcolor(surface, "L")
        assert isinstance(ground, int)
        middle = np.asarray(picture, int)[picture.height // 4 : picture.height * 3 // 4]
        # Behind a frame of one pixel; where words cross it, most of the height is without.
        left, right = (abs(np.median(middle[:, x]) - ground) for x in (2, -3))
        return bool(left > SEEN), bool(right > SEEN)

    def requests(self) -> list[str]:
        """The addresses asked for since the last look."""
        events = (json.loads(e["message"])["message"] for e in self._log("performance"))
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.driver.quit()


@pytest.mark.parametrize("name", ["pass", "warn", "fail", "none", "few", "alone"])
def test_the_verdict_and_the_plots_are_seen(
    browser: Browser, nights: Nights, tmp_path: Path, name: str
) -> None:
    summary = nights[name]()
    write_page(summary, tmp_path)
    browser.open(tmp_path / "index.html")
    verdict = browser.driver.find_element(By.CSS_SELECTOR, ".verdict h1")
    assert verdict.is_displayed()
    assert summary.status.upper() in verdict.text
    assert verdict.rect["y"] < 200
    for reason in summary.reasons:
        assert reason in browser.driver.find_element(By.CSS_SELECTOR, ".verdict").text
    plots = browser.driver.find_elements(By.CSS_SELECTOR, "main svg[role=img]")
    assert plots
    assert all(plot.rect["width"] > 10 for plot in plots if plot.is_displayed())
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_screen(
    browser: Browser,
    nights: Nights,
    history: Callable[[int], list[ReportRecord]],
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    write_page(nights["fail"](), tmp_path / "night")
    write_page(nights["hostile"](), tmp_path / "hostile")
    write_index(history(40), tmp_path)
    for page in ("night/index.html", "hostile/index.html", "index.html"):
        browser.open(tmp_path / page, width, scheme)
        browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.ask("document.documentElement.scrollWidth") <= width
        ground = browser.ask("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(246, 246, 243)", "dark": "rgb(18, 20, 22)"}[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_cut_table_tells_towards_which_end_it_goes_on(
    browser: Browser, nights: Nights, tmp_path: Path, scheme: str
) -> None:
    write_page(nights["fail"](), tmp_path)
    comparison = tmp_path / "comparison.html"
    comparison.write_text(render_comparison(make_comparison()), encoding="utf-8")
    seen = 0
    for page in (tmp_path / "index.html", comparison):
        browser.open(page, 390, scheme)
        browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
        surface = browser.ask(
            "getComputedStyle(document.body).getPropertyValue('--surface').trim()"
        )
        for cut in browser.ask(CUT):
            assert "scroll" in cut.get_dom_attribute("class").split()
            assert browser.shades(cut, surface) == (False, True)
            browser.driver.execute_script("arguments[0].scrollLeft = 9999", cut)
            assert browser.shades(cut, surface) == (True, False)
            seen += 1
    assert seen > 2


def test_nothing_leaves_the_pages(
    browser: Browser,
    nights: Nights,
    history: Callable[[int], list[ReportRecord]],
    samples: EvidentlyInput,
    tmp_path: Path,
) -> None:
    write_page(nights["fail"](), tmp_path / "night", samples)
    write_index(history(3), tmp_path)
    browser.requests()
    for page in ("index.html", "night/index.html", "night/drift.html", "night/quality.html"):
        browser.open(tmp_path / page)
        if page not in ("index.html", "night/index.html"):
            _wait_for_evidently(browser)
        asked = browser.requests()
        assert (tmp_path / page).as_uri() in asked
        assert all(url.startswith(("file://", "data:", "blob:")) for url in asked)
        assert browser.complaints() == []


def test_a_name_that_is_markup_is_shown_as_text(
    browser: Browser, nights: Nights, samples: EvidentlyInput, tmp_path: Path
) -> None:
    write_page(nights["hostile"](), tmp_path, samples)
    browser.open(tmp_path / "index.html")
    assert browser.driver.find_element(By.TAG_NAME, "body").text.count(SCRIPT) > 10
    assert browser.driver.find_elements(By.TAG_NAME, "script") == []
    for page in ("drift.html", "quality.html"):
        browser.open(tmp_path / page)
        _wait_for_evidently(browser)
        assert SCRIPT in browser.driver.find_element(By.CSS_SELECTOR, ".drugmon").text
    assert browser.complaints() == []


def test_evidently_draws_its_reports(
    browser: Browser, nights: Nights, samples: EvidentlyInput, tmp_path: Path
) -> None:
    write_page(nights["pass"](), tmp_path, samples)
    for page, words in (("drift.html", "drift is"), ("quality.html", "Accuracy")):
        browser.open(tmp_path / "index.html")
        browser.driver.find_element(By.CSS_SELECTOR, f'a[href="{page}"]').click()
        _wait_for_evidently(browser)
        text = browser.driver.find_element(By.TAG_NAME, "body").text
        assert words.lower() in text.lower()
        assert "PASS: reviews.scored.parquet" in browser.driver.title


def test_the_index_leads_to_a_night(
    browser: Browser,
    nights: Nights,
    history: Callable[[int], list[ReportRecord]],
    tmp_path: Path,
) -> None:
    found = history(30)
    write_page(nights["pass"](), tmp_path / found[-1].page)
    write_index(found, tmp_path)
    browser.open(tmp_path / "index.html")
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".line-chart")) > 15
    browser.driver.find_element(By.LINK_TEXT, "Open it").click()  # nights since then did not run
    assert "PASS" in browser.driver.find_element(By.TAG_NAME, "h1").text
    browser.driver.find_element(By.LINK_TEXT, "All nights").click()
    assert browser.driver.find_element(By.TAG_NAME, "h1").text == "All nights"


def _wait_for_evidently(browser: Browser) -> None:
    WebDriverWait(browser.driver, 60).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "[id^=root_metric_] .MuiGrid-root")
    )
