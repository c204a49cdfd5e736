"""The pages in a real browser, opened as files: drawn, silent, offline, usable by keyboard, in the dark and on paper.

Needs Debian's chromium and chromedriver (CHROMIUM and CHROMEDRIVER name others); skips where they are absent. With
AXE_CORE naming an axe.min.js, accessibility is checked too.
"""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from qa_pipeline.charts.pages import write_pages
from qa_pipeline_tests.browser.chrome import headless, needs_chromium
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import empty_warehouse, fake_config, fake_warehouse, labels_only_warehouse

AXE_CORE = os.environ.get("AXE_CORE")

pytestmark = needs_chromium

_UNDRAWN = "return [...document.querySelectorAll('.plot')].filter(plot => plot.dataset.drawn !== 'yes').length"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of plain, hostile and empty marts and of labels alone, each in a folder of that name."""
    root = tmp_path_factory.mktemp("pages")
    for name in ("plain", "hostile", "labels", "empty"):
        is_hostile = name == "hostile"
        with _warehouse(name) as con:
            write_pages(
                con,
                reports=root / name,
                config=fake_config(is_hostile=is_hostile),
                built_at="2026-11-20 04:52 UTC",
                run_id=HOSTILE["run"],
                is_synthetic=True,
            )
    return root


def _warehouse(name: str) -> duckdb.DuckDBPyConnection:
    if name == "labels":
        return labels_only_warehouse()
    return empty_warehouse() if name == "empty" else fake_warehouse(is_hostile=name == "hostile")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless browser with a fresh profile; logs its console and every request."""
    logs = {"browser": "ALL", "performance": "ALL"}
    with headless(tmp_path_factory.mktemp("profile"), window="1400,900", logs=logs) as driver:
        driver.set_script_timeout(60)
        yield driver


def _open(browser: webdriver.Chrome, path: Path, *, scheme: str = "light", width: int = 1400) -> None:
    """Open a page anew, with the system's theme and a width, and forget what was logged before."""
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    _logged(browser, "browser")
    _logged(browser, "performance")
    browser.get(path.as_uri())


def _draw_all(browser: webdriver.Chrome) -> None:
    """Open what is folded and scroll through the page as a reader does, until every figure is drawn."""
    browser.execute_script("document.querySelectorAll('details.fold').forEach(entry => { entry.open = true; })")
    height = browser.execute_script("return document.documentElement.scrollHeight")
    for top in range(0, height + 600, 600):
        browser.execute_script("window.scrollTo({top: arguments[0], behavior: 'instant'})", top)
        # Two frames: the observer reports in the next one.
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(_UNDRAWN) == 0)


def _logged(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since the last look."""
    untyped: Any = browser
    return list(untyped.get_log(kind))


def _requests(browser: webdriver.Chrome) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in _logged(browser, "performance")]
    return [entry["params"]["request"]["url"] for entry in messages if entry["method"] == "Network.requestWillBeSent"]


def _pages(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.html"))


@pytest.mark.parametrize("kind", ["plain", "hostile", "labels", "empty"])
def test_pages_draw_without_errors_and_without_the_network(browser: webdriver.Chrome, reports: Path, kind: str) -> None:
    """Stops a console error (the Content-Security-Policy too), any request but for files, and hostile names at work."""
    pages = _pages(reports / kind)
    market = [page for page in pages if page.name.startswith("market-")]
    for page in (*market[:1], *market[-1:], *[page for page in pages if page not in market]):
        _open(browser, page)
        _draw_all(browser)
        assert _logged(browser, "browser") == []
        assert {url.split(":")[0] for url in _requests(browser)} <= {"file", "data"}
        assert browser.execute_script("return document.querySelectorAll('main img, iframe').length") == 0
        links = "return [...document.querySelectorAll('.plot a')].length"
        assert browser.execute_script(links) == 0, "a label became a link"


def test_figures_are_drawn_only_when_scrolled_to(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops a market with twenty queues from drawing a hundred figures before it can be read."""
    _open(browser, reports / "plain" / "market-BR.html")
    total = browser.execute_script("return document.querySelectorAll('.plot').length")
    assert total >= 30
    assert browser.execute_script(_UNDRAWN) >= total / 2
    _draw_all(browser)
    marks = "return document.querySelector('#defect-0').querySelectorAll('path.js-line').length"
    assert browser.execute_script(marks) >= 2
    assert browser.execute_script("return document.querySelectorAll('.modebar').length") == 0


def test_names_are_shown_as_text_in_figures(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops double escaping: the reader sees the name as it is, not &lt;."""
    _open(browser, reports / "hostile" / "market-BR.html")
    _draw_all(browser)
    ticks = "return [...document.querySelectorAll('#vendors-0 .ytick text')].map(tick => tick.textContent)"
    assert any(tick.startswith("</script><") for tick in browser.execute_script(ticks))


def test_the_keyboard_reaches_the_content_and_the_links(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops a page that needs a mouse: skip link first, then pages, then the cells of the matrix; focus is visible."""
    _open(browser, reports / "plain" / "index.html")
    reached: list[Any] = []
    for _ in range(16):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        script = (
            "var e = document.activeElement; return [e.tagName, e.textContent.trim().slice(0, 20), "
            "e.getAttribute('href'), getComputedStyle(e).outlineStyle]"
        )
        reached.append(browser.execute_script(script))
    assert reached[0][2] == "#content"
    assert {"contract.html", "method.html", "market-BR.html", "market-BR.html#q-hate"} <= {
        entry[2] for entry in reached
    }
    assert all(entry[3] != "none" for entry in reached if entry[0] == "A")


def test_the_switch_shows_agreement(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops the other matrix from being unreachable, or both from showing at once."""
    _open(browser, reports / "plain" / "index.html")
    shown = "return ['defect_rate', 'agreement'].map(id => document.getElementById(id).offsetParent !== null)"
    opened = browser.execute_script(shown)
    assert sorted(opened) == [False, True]
    browser.execute_script("document.querySelector('input[name=matrix]:checked').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert browser.execute_script(shown) == opened[::-1]


def test_the_dark_theme_reaches_the_figures(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops dark text on a dark card: the system's theme holds, the button changes it, figures follow."""
    ink = (
        "return [getComputedStyle(document.body).color, "
        "getComputedStyle([...document.querySelectorAll('#agreement-0 .js-line')].pop()).stroke]"
    )
    seen = []
    for scheme in ("light", "dark"):
        _open(browser, reports / "plain" / "market-BR.html", scheme=scheme)
        _draw_all(browser)
        seen.append(browser.execute_script(ink))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]
    browser.execute_script("document.getElementById('theme').click()")
    assert browser.execute_script(ink) == seen[0]
    browser.refresh()
    assert browser.execute_script("return document.documentElement.dataset.theme") == "light"
    browser.execute_script("localStorage.clear()")


def test_a_figure_can_be_saved_as_a_picture(browser: webdriver.Chrome, reports: Path, tmp_path: Path) -> None:
    """Stops the Content-Security-Policy from breaking the picture, and the picture from needing the network."""
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    _open(browser, reports / "hostile" / "market-BR.html")
    browser.execute_script("document.querySelector('figure:has(#vendors-0) .picture').click()")
    WebDriverWait(browser, 30).until(lambda _: list(tmp_path.glob("*.png")))
    assert (tmp_path / "vendors-0.png").read_bytes().startswith(b"\x89PNG")
    assert _logged(browser, "browser") == []
    assert {url.split(":")[0] for url in _requests(browser)} <= {"file", "data", "blob"}


def test_a_phone_scrolls_only_up_and_down(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops a page wider than 400 pixels; wide tables scroll within their own box."""
    names = ("index.html", "contract.html", "method.html", "market-BR.html")
    for page in [reports / kind / name for kind in ("plain", "hostile", "labels") for name in names]:
        _open(browser, page, width=400)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400, page
    _open(browser, reports / "plain" / "market-BR.html", width=400)
    _draw_all(browser)
    ends = "return [...document.querySelectorAll('.plot svg')].map(drawing => drawing.getBoundingClientRect().right)"
    assert max(browser.execute_script(ends)) <= 400


def test_tables_stay_within_their_cards(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops the numbers under one figure from lying over the figure beside it: wide tables scroll in their own box."""
    for width in (1400, 400):
        _open(browser, reports / "plain" / "market-BR.html", width=width)
        browser.execute_script("document.querySelectorAll('details').forEach(entry => { entry.open = true; })")
        outside = (
            "return [...document.querySelectorAll('.card .scroll')].filter(box => box.getBoundingClientRect().right > "
            "box.closest('.card').getBoundingClientRect().right + 1).length"
        )
        assert browser.execute_script(outside) == 0


def test_paper_has_every_figure(browser: webdriver.Chrome, reports: Path) -> None:
    """Stops empty boxes on paper: figures never scrolled to are drawn before printing, in the light theme."""
    _open(browser, reports / "plain" / "market-BR.html", scheme="dark")
    assert browser.execute_script(_UNDRAWN) > 0
    made = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    assert base64.b64decode(made["data"]).startswith(b"%PDF")
    assert browser.execute_script(_UNDRAWN) == 0
    assert browser.execute_script("return document.documentElement.dataset.theme || ''") == ""


@pytest.mark.skipif(not AXE_CORE, reason="AXE_CORE names no axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: webdriver.Chrome, reports: Path, scheme: str) -> None:
    """Stops contrast, names, roles and landmarks from getting worse."""
    code = Path(AXE_CORE or "").read_text(encoding="utf-8")
    names = ["plain/index", "plain/market-BR", "plain/contract", "plain/method", "hostile/market-BR"]
    names += [f"{kind}/{page}" for kind in ("labels", "empty") for page in ("index", "market-BR")]
    for name in names:
        _open(browser, reports / f"{name}.html", scheme=scheme)
        browser.execute_script("document.querySelectorAll('details').forEach(entry => { entry.open = true; })")
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": code})
        found = browser.execute_async_script(
            "var done = arguments[0]; axe.run().then(result => done(result.violations.map(entry => entry.id)));"
        )
        assert found == [], name
