"""The page as a visitor has it: typed into, dropped a file on, in a real browser."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
)
SECRET = "zebra-crossing"
MOST_ROWS = 20_000
"""So many that scoring them in batches of 64 tokens can be cancelled in the midst of it."""
pytest.importorskip("gradio", reason="the extra `ui` is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here"),
]


class Served:
    """A page in a process of its own, whose temporary files are in `scratch`."""

    reports: Path

    def __init__(self, scratch: Path, *arguments: object) -> None:
        environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "drugmon", "ui", "--port", "0", "--device", "cpu"]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("drugmon ui: http://127.0.0.1:"), line
        self.url = line.split()[2]

    def end(self) -> str:
        """End it as a service manager does, and return what else it printed."""
        self.process.send_signal(signal.SIGTERM)
        printed = self.process.communicate(timeout=60)[0]
        assert printed.endswith("drugmon ui: ended; the same command starts it again\n"), printed
        assert self.process.returncode == 0
        return printed


@pytest.fixture(scope="module", name="scratch")
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module", name="page")
def _page(
    adapter: Path, scratch: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    reports = tmp_path_factory.mktemp("reports")
    (reports / "attempts.jsonl").write_text("{}", encoding="utf-8")
    likeliest = tmp_path_factory.mktemp("adapters") / "tiny-likeliest"
    shutil.copytree(adapter, likeliest)
    manifest = json.loads((likeliest / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"rule": "likeliest"}
    (likeliest / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    limits = ("--max-rows", MOST_ROWS, "--batch-tokens", 64)
    served = Served(scratch, "--adapter", likeliest, "--reports", reports, *limits)
    served.reports = reports
    yield served
    printed = served.end()
    assert SECRET not in printed
    assert "Traceback" not in printed
    assert not list(scratch.glob("drugmon-page-*"))


@pytest.fixture(name="browser")
def _browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"user-data-dir={tmp_path / 'profile'}", "window-size=1280,900"):
        options.add_argument(f"--{flag}")
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(tmp_path / "downloads")}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def wait(browser: webdriver.Chrome, until: Callable[[webdriver.Chrome], Any]) -> Any:
    return WebDriverWait(browser, 60, ignored_exceptions=(Exception,)).until(until)


def text_of(browser: webdriver.Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def read_aloud(browser: webdriver.Chrome) -> str:
    place = browser.find_element(By.CSS_SELECTOR, "#dm-said [role=status]")
    return str(place.get_property("textContent"))


def requested(browser: webdriver.Chrome) -> list[str]:
    log = browser.get_log("performance")  # type: ignore[no-untyped-call]
    events = (json.loads(entry["message"])["message"] for entry in log)
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def test_type_and_see_the_verdict(page: Served, browser: webdriver.Chrome) -> None:
    browser.get(page.url)
    box = wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "#dm-benefits textarea"))
    box.send_keys(f"wonderful <b>{SECRET}</b>")
    wait(browser, lambda b: "Overall: " in text_of(b, "#dm-verdicts"))
    told = text_of(browser, "#dm-verdicts")
    said = r"Overall \w+, \d+%; Benefits \w+, \d+%"
    wait(browser, lambda b: re.fullmatch(said, read_aloud(b)))
    assert "Benefits: " in told
    assert "Side effects" not in told
    assert "Judged by tiny@" in told
    wait(browser, lambda b: "Why overall is" in text_of(b, "#dm-why"))
    # As it was typed, no markup; a first answer may be to half of what is being typed.
    wait(browser, lambda b: f"<b>{SECRET}</b>" in text_of(b, "#dm-why"))
    hosts = {url.split("/")[2] for url in requested(browser) if url.startswith(("http", "ws"))}
    assert hosts == {page.url.split("/")[2]}


def test_a_review_in_one_piece_has_a_box_of_its_own(
    page: Served, browser: webdriver.Chrome
) -> None:
    browser.get(page.url)
    box = wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "#dm-text textarea"))
    box.send_keys("wonderful, but awful")
    wait(browser, lambda b: re.fullmatch(r"Overall \w+, \d+%", read_aloud(b)))
    wait(browser, lambda b: "The review. wonderful, but awful" in text_of(b, "#dm-why"))
    browser.find_element(By.CSS_SELECTOR, "#dm-comments textarea").send_keys("more")
    wait(browser, lambda b: "by its aspects, not both" in text_of(b, "#dm-verdicts"))


def test_drop_a_file_and_download_it(
    page: Served, browser: webdriver.Chrome, scratch: Path, tmp_path: Path
) -> None:
    source = tmp_path / "mine.csv"
    rows = [f"{n},wonderful {SECRET} {n},awful" for n in range(40)]
    source.write_text("\n".join(["id,pros,cons", *rows]) + "\n", encoding="utf-8")
    browser.get(page.url)
    open_tab(browser, "A file")
    drop(browser, source)
    wait(browser, lambda b: "40 rows" in text_of(b, "#dm-recognised"))
    assert "benefits pros" in text_of(browser, "#dm-recognised")
    wait(browser, lambda b: b.find_element(By.ID, "dm-score").is_enabled())
    browser.find_element(By.ID, "dm-score").click()
    wait(browser, lambda b: "The least certain rows" in text_of(b, "#dm-result"))
    assert "Class balance" in text_of(browser, "#dm-result")
    browser.find_element(By.ID, "dm-download").click()
    scored = tmp_path / "downloads" / "mine.scored.csv"
    wait(browser, lambda _b: scored.is_file())
    with scored.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [row["id"] for row in found] == [str(n) for n in range(40)]
    assert {row["overall_sentiment"] for row in found} <= {"negative", "neutral", "positive"}
    assert any(SECRET in path.read_text() for path in scratch.rglob("*.csv"))
    browser.get("about:blank")  # the visitor leaves
    deadline = time.monotonic() + 60
    while left := [path for path in scratch.rglob("*.csv") if SECRET in path.read_text()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


def test_a_run_that_is_cancelled_leaves_nothing_behind(
    page: Served, browser: webdriver.Chrome, scratch: Path, tmp_path: Path
) -> None:
    long, short = tmp_path / "long.csv", tmp_path / "short.csv"
    long.write_text("review\n" + f"wonderful {SECRET}\n" * MOST_ROWS, encoding="utf-8")
    short.write_text(f"review\nwonderful {SECRET}\n", encoding="utf-8")
    browser.get(page.url)
    open_tab(browser, "A file")
    drop(browser, long)
    wait(browser, lambda b: b.find_element(By.ID, "dm-score").is_enabled())
    browser.find_element(By.ID, "dm-score").click()
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "progress[value]:not([value='0'])"))
    browser.find_element(By.ID, "dm-cancel").click()
    wait(browser, lambda b: "Cancelled; nothing was kept." in text_of(b, "#dm-progress"))
    assert not browser.find_element(By.ID, "dm-cancel").is_enabled()
    received = [path.name for path in scratch.rglob("*") if path.is_file()]
    assert received.count("long.csv") == 1
    assert not [name for name in received if "journal" in name or "scored" in name]
    browser.find_element(By.CSS_SELECTOR, "#dm-file button[aria-label='Clear']").click()
    drop(browser, short)
    wait(browser, lambda b: "1 row" in text_of(b, "#dm-recognised"))
    wait(browser, lambda b: b.find_element(By.ID, "dm-score").is_enabled())
    browser.find_element(By.ID, "dm-score").click()
    wait(browser, lambda b: "The least certain rows" in text_of(b, "#dm-result"))


def test_a_model_comes_with_its_own_rule(page: Served, browser: webdriver.Chrome) -> None:
    browser.get(page.url)
    chosen = "input[type=radio]:checked"
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, chosen).get_dom_attribute("value"))
    found = browser.find_element(By.CSS_SELECTOR, chosen)
    assert found.get_dom_attribute("value") == "likeliest"
    models = browser.find_element(By.CSS_SELECTOR, "input[aria-label='Adapter or base']")
    models.click()
    option = "//li[@aria-label='minilm-druglib']"
    wait(browser, lambda b: b.find_element(By.XPATH, option).is_displayed())
    browser.find_element(By.XPATH, option).click()
    balanced = "input[type=radio][value=balanced]"
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, balanced).is_selected())


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("many.csv", "review\n" + "fine\n" * (MOST_ROWS + 1), "more than 20,000 rows"),
        ("none.csv", "price\n1\n", "no text column among 'price'"),
        ("broken.parquet", "PAR1 not really", "broken.parquet"),
    ],
)
def test_a_file_that_will_not_do_is_told(
    page: Served, browser: webdriver.Chrome, tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    browser.get(page.url)
    open_tab(browser, "A file")
    drop(browser, tmp_path / name)
    wait(browser, lambda b: told in text_of(b, "#dm-recognised"))
    assert "drugmon-page-" not in text_of(browser, "#dm-recognised")
    assert not browser.find_element(By.ID, "dm-score").is_enabled()


def test_the_nights_are_there_and_nothing_else_of_their_folder(
    page: Served, browser: webdriver.Chrome
) -> None:
    browser.get(page.url)
    open_tab(browser, "The nights")
    told = "//p[starts-with(., 'There is no report in')]"
    wait(browser, lambda b: b.find_element(By.XPATH, told).is_displayed())
    (page.reports / "index.html").write_text("<h1>All nights</h1>", encoding="utf-8")
    browser.get(page.url)  # after the first night
    open_tab(browser, "The nights")
    frame = wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "iframe.dm-nights"))
    browser.switch_to.frame(frame)
    wait(browser, lambda b: text_of(b, "h1") == "All nights")
    for other in ("attempts.jsonl", "..%2f..%2fetc%2fpasswd", "missing.html"):
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{page.url}nights/{other}")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_is_too_narrow(
    page: Served, browser: webdriver.Chrome, width: int, scheme: str
) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.url)
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "#dm-benefits textarea"))
    browser.find_element(By.XPATH, "//button[contains(., 'Example: A mixed one')]").click()
    wait(browser, lambda b: "Overall: " in text_of(b, "#dm-verdicts"))
    wait(browser, lambda b: "Why overall is" in text_of(b, "#dm-why"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.body.classList.contains('dark')") == (
        scheme == "dark"
    )
    if folder := os.environ.get("DRUGMON_SCREENSHOTS"):
        browser.save_screenshot(f"{folder}/page-{width}-{scheme}.png")


def test_only_who_is_named_gets_in(adapter: Path, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# who\nann:se:cret\n", encoding="utf-8")
    users.chmod(0o600)
    served = Served(tmp_path, "--adapter", adapter, "--auth-file", users)
    try:
        with pytest.raises(HTTPError, match="401"):
            urlopen(served.url)
        wrong = Request(served.url, headers={"Authorization": "Basic YW5uOndyb25n"})
        with pytest.raises(HTTPError, match="401"):
            urlopen(wrong)
        right = Request(served.url, headers={"Authorization": "Basic YW5uOnNlOmNyZXQ="})
        with urlopen(right) as answer:
            assert answer.status == 200
            assert "default-src 'self'" in answer.headers["content-security-policy"]
    finally:
        served.end()


def open_tab(browser: webdriver.Chrome, name: str) -> None:
    tab = f"//button[@role='tab'][normalize-space()='{name}']"
    wait(browser, lambda b: b.find_element(By.XPATH, tab).is_displayed())
    browser.find_element(By.XPATH, tab).click()


def drop(browser: webdriver.Chrome, path: Path) -> None:
    field = wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "#dm-file input[type=file]"))
    field.send_keys(str(path))
