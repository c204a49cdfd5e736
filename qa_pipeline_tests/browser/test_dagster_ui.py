"""Dagster's UI in a real browser, started as a user would: lineage, a failed blocking check, a link to the pages.

Needs the extra `ui` and Debian's chromium and chromedriver (CHROMIUM and CHROMEDRIVER name others); skips where they
are absent.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from qa_pipeline.instance import settle
from qa_pipeline.settings import project_root
from qa_pipeline_tests.browser.chrome import headless, needs_chromium
from qa_pipeline_tests.small_home import kept_environment, land_blocked, small_days, write_small_home

DG = Path(sys.executable).with_name("dg")
# The UI's start is mostly Python imports, which a busy machine makes slow.
START_SECONDS = 240
PAGE_SECONDS = 60
GROUPS = ["1_raw", "2_validated", "3_quarantine", "4_facts", "5_tallies", "6_marts", "7_reports"]
Value = TypeVar("Value")

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not DG.exists(), reason="Dagster's UI is not installed (pip install -e '.[ui]')"),
    pytest.mark.xdist_group("dagster_ui"),
]


@dataclass(frozen=True)
class Ui:
    """Addresses of a running UI."""

    dagster: str
    pages: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "qa_pipeline.cli", *map(str, arguments)]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """`qa-pipeline ui` on a home with one green day and one whose labels are blocked."""
    home = write_small_home(tmp_path_factory.mktemp("ui"), days=2, feeds=["labels", "reviews"])
    land_blocked(home, feed="labels", day=small_days(2)[1])
    port, pages_port = _free_port(), _free_port()
    found = Ui(dagster=f"http://127.0.0.1:{port}", pages=f"http://127.0.0.1:{pages_port}")
    environment = os.environ | {"QA_PAGES_URL": found.pages}
    ran = subprocess.run(_command("run", "--home", home.root), env=environment, capture_output=True, check=False)
    assert ran.returncode == 1, ran.stderr
    log = home.root / "ui.log"
    options = ["--home", home.root, "--port", port, "--pages-port", pages_port]
    with log.open("wb") as stream:
        process = subprocess.Popen(_command("ui", *options), stdout=stream, stderr=stream)
    try:
        _wait_for(f"{found.dagster}/server_info", process, log)
        yield found
    finally:
        # It ends what it started, and nothing else.
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=90) == 0, log.read_text(encoding="utf-8")


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    pytest.fail(f"{address} did not answer:\n{log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with headless(tmp_path_factory.mktemp("profile"), window="1600,1200") as driver:
        yield driver


def _wait(browser: webdriver.Chrome, condition: Callable[[webdriver.Chrome], Value]) -> Value:
    return WebDriverWait(browser, PAGE_SECONDS).until(condition)


def _shows(text: str) -> Callable[[webdriver.Chrome], bool]:
    return lambda browser: text in browser.find_element(By.TAG_NAME, "body").text


def test_lineage_shows_every_layer(ui: Ui, browser: webdriver.Chrome) -> None:
    """Stops a code location that does not load, or layers that are not in order."""
    browser.get(f"{ui.dagster}/asset-groups")
    for group in GROUPS:
        _wait(browser, _shows(group))
    sidebar = [line for line in browser.find_element(By.TAG_NAME, "body").text.splitlines() if line in GROUPS]
    assert sidebar[: len(GROUPS)] == GROUPS


def test_a_failed_blocking_check_is_seen(ui: Ui, browser: webdriver.Chrome) -> None:
    """Stops a partition on hold from looking green, or from not saying why."""
    browser.get(f"{ui.dagster}/assets/validated/valid_labels?view=checks&checkDetail=labels_block_rules")
    _wait(browser, _shows("labels_block_rules"))
    _wait(browser, _shows("This is a blocking asset check."))
    _wait(browser, _shows("LBL-090"))
    assert "Failed" in browser.find_element(By.TAG_NAME, "body").text


def test_the_pages_are_linked_from_their_asset(ui: Ui, browser: webdriver.Chrome) -> None:
    """Stops pages that one has to know of."""
    browser.get(f"{ui.dagster}/assets/reports/pages")
    link = _wait(
        browser,
        lambda found: found.find_element(By.CSS_SELECTOR, f"a[href='{ui.pages}/index.html']").get_attribute("href"),
    )
    assert link is not None
    browser.get(link)
    assert browser.find_element(By.TAG_NAME, "h1").text


def test_the_published_settings_are_in_force(ui: Ui) -> None:
    """Stops a UI on an instance other than the home's: it would have no runs and telemetry on."""
    query = b'{"query": "{ instance { runQueuingSupported } runsOrError { ... on Runs { results { status } } } }"}'
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{ui.dagster}/graphql", data=query, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
        text = answer.read().decode()
    assert text.count('"FAILURE"') == 1
    assert text.count('"SUCCESS"') == 3


@pytest.mark.parametrize(
    "command",
    [["dg", "check", "defs"], ["dagster", "definitions", "validate", "--workspace", "workspace.yaml"]],
    ids=["dg", "dagster"],
)
def test_both_ways_of_starting_load_the_code_location(tmp_path: Path, command: list[str]) -> None:
    """Stops a workspace.yaml or pyproject.toml that one of `dagster dev` and `dg dev` cannot read."""
    with kept_environment():
        settle(write_small_home(tmp_path, days=0))
        program = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run([program, *command[1:]], cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not match the name" not in done.stdout + done.stderr
