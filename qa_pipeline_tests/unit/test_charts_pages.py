"""The written pages: right numbers, right when empty, safe with hostile names, written atomically."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from qa_pipeline.charts.pages import write_pages
from qa_pipeline.charts.publishing import WORKSHOP, publish
from qa_pipeline.charts.reading import MARTS, Mart, MartRow, Reader
from qa_pipeline.charts.words import percent, percent_range
from qa_pipeline.config import Targets
from qa_pipeline.errors import HomeError
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import empty_warehouse, fake_config, fake_warehouse, labels_only_warehouse


class _Page(HTMLParser):
    """Elements, attributes and visible text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


@cache
def _read(path: Path) -> _Page:
    """A page of a module's fixture, parsed once."""
    return _Page(path)


def _write(
    con: duckdb.DuckDBPyConnection, reports: Path, *, is_hostile: bool = False, is_synthetic: bool = True
) -> list[Path]:
    return write_pages(
        con,
        reports=reports,
        config=fake_config(is_hostile=is_hostile),
        built_at="2026-11-20 04:52 UTC",
        run_id=HOSTILE["run"] if is_hostile else "c03a01c8",
        is_synthetic=is_synthetic,
    )


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    con = fake_warehouse()
    yield con
    con.close()


@pytest.fixture(scope="module")
def pages(warehouse: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return _write(warehouse, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def hostile_pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    con = fake_warehouse(is_hostile=True)
    written = _write(con, tmp_path_factory.mktemp("hostile"), is_hostile=True)
    con.close()
    return written


def test_every_page_is_there(pages: list[Path]) -> None:
    """Stops a market without a page; the index comes first, for the links in Dagster."""
    markets = [f"market-{code}.html" for code in ("BR", "DE", "ID", "JP", "US")]
    assert [page.name for page in pages] == ["index.html", *markets, "contract.html", "method.html"]
    folder = pages[0].parent
    assert sorted(path.name for path in (folder / "assets").iterdir()) == [
        "pages.js",
        next(path.name for path in (folder / "assets").glob("plotly-*.min.js")),
        "style.css",
        "theme.js",
    ]
    assert not (folder / WORKSHOP).exists()


def test_the_matrix_shows_the_marts(pages: list[Path], warehouse: duckdb.DuckDBPyConnection) -> None:
    """Stops a stale or shuffled cell: each market and queue shows its newest 28 days, judged by the stated rule."""
    page = _read(pages[0])
    found = warehouse.execute(
        "select market, queue, estimate, ci_low, ci_high from marts.defect_rate where period = 'trailing_28d' "
        "and subject = 'human' and metric = 'defect_rate' "
        "and period_end = (select max(period_end) from marts.defect_rate where period = 'day')"
    ).fetchall()
    titles = {attrs["title"] for tag, attrs in page.elements if "cell" in (attrs.get("class") or "").split()}
    names = {"BR": "Brazil", "ID": "Indonesia"} | {"hate": "Hate speech", "spam": "Spam", "ALL": "All queues"}
    checked = 0
    for market, queue, estimate, low, high in found:
        if market in ("BR", "ID") and queue in ("hate", "spam", "ALL"):
            start = f"{names[market]}, {names[queue]}: {percent(estimate)}, interval {percent_range(low, high)}, "
            assert [title for title in titles if title and title.startswith(start)], start
            checked += 1
    assert checked == 6
    (hate,) = [title for title in titles if title and title.startswith("Brazil, Hate speech: ") and "%" in title]
    assert ", target 7.0%, " in hate
    assert hate.endswith("random audits: act")


_STATES = {"act": "act", "watch": "watch", "ok": "on target", "few": "not enough data", "none": "no target set"}


def _cells(page: _Page, measure: str) -> Counter[str]:
    """How many cells of a matrix show each status, totals left out."""
    (table,) = re.findall(rf'<table class="matrix" id="{measure}">(.*?)</table>', page.source, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    found = Counter(key for row in rows for key in re.findall(r'<td class="is-(\w+)">', row))
    return Counter({_STATES[key]: number for key, number in found.items()})


def test_headline_counts_matrix_and_list_agree(pages: list[Path]) -> None:
    """Stops a headline that counts other figures than the matrix and the list show, and counts that do not add up."""
    page = _read(pages[0])
    marked: list[tuple[str, int]] = []
    for measure, name in (("defect_rate", "Defect rate"), ("agreement", "Agreement")):
        cells = _cells(page, measure)
        assert sum(cells.values()) == 25
        (line,) = re.findall(rf"<dt>{name}</dt><dd>(.*?)</dd>", page.source, re.DOTALL)
        shown = {state: int(number) for number, state in re.findall(r"</span> (\d+) ([a-z ]+)</span>", line)}
        assert {"act": 0} | dict(cells) == shown
        assert "of 25\u00a0market queues" in line
        marked += [(f"{name.lower()} {verb}", cells[state]) for verb, state in (("act", "act"), ("watch", "watch"))]
    numbers = dict(marked)
    assert sum(numbers.values()) > 4
    (headline,) = re.findall(r"<strong>(To act on.*?)</strong>", page.source)
    said = re.split(r"To watch", headline)
    for verb, sentence in zip(("act", "watch"), said, strict=True):
        for name in ("defect rate", "agreement"):
            named = re.findall(rf"{name} in (\d+)", sentence)
            assert [numbers[f"{name} {verb}"]] == (list(map(int, named)) or [0])
    (listed,) = re.findall(r'<ol class="worst">(.*?)</ol>(.*?)</section>', page.source, re.DOTALL)
    hidden = re.findall(r"(\d+)\u00a0more figures? (?:is|are) marked", listed[1])
    assert listed[0].count("<li>") + sum(map(int, hidden)) == sum(numbers.values())


def test_a_market_s_headline_is_that_of_its_table_and_charts(pages: list[Path]) -> None:
    """Stops "all on target" over a queue whose whole interval misses it: one rule for words, table and chart."""
    for path in pages:
        if not path.name.startswith("market-"):
            continue
        page = _read(path)
        (lead,) = re.findall(r'<p class="lead"><strong>(.*?)</strong>', page.source)
        sentences = dict(re.findall(r"(Defect rate|Agreement): (.*?)\.(?: |$)", lead))
        (body,) = re.findall(r'<table class="plain queues">.*?<tbody>(.*?)</tbody>', page.source, re.DOTALL)
        for place, name in enumerate(("Defect rate", "Agreement")):
            acts = []
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
                (queue,) = re.findall(r'<th scope="row"><a href="[^"]*">(.*?)</a>', row)
                if re.findall(r'badge is-(\w+)"', row)[place] == "act":
                    acts.append(queue)
            named = re.findall(r"act on (.*?)(?:;|$)", sentences[name])
            found = set(re.split(r", | and ", named[0])) if named else set()
            assert found == set(acts), (path.name, name)
            titles = [text for text in page.texts if text.startswith("Defect rate ") and " is above its target" in text]
            assert name != "Defect rate" or len(titles) == len(acts), path.name


def _write_config(con: duckdb.DuckDBPyConnection, reports: Path, *, has_targets: bool) -> dict[str, _Page]:
    config = fake_config()
    if not has_targets:
        config = config.model_copy(update={"targets": Targets()})
    written = write_pages(con, reports=reports, config=config, built_at="now", run_id="r", is_synthetic=True)
    return {path.name: _Page(path) for path in written}


def test_pages_of_labels_alone_say_which_feed_is_missing(tmp_path: Path) -> None:
    """Stops empty panels, and sentences about targets, audits or dashes that are not on the page."""
    with labels_only_warehouse() as con:
        found = _write_config(con, tmp_path, has_targets=False)
    index, market = found["index.html"].text, found["market-BR.html"].text
    lines = [
        "Defect rate and audited share : the feed reviews has not landed; the page gets this when it does.",
        "people and vendors : neither gold nor reviews has landed; the page gets this when one of them does.",
        "Volume, drift and accuracy of models : the feed predictions has not landed; the page gets this when it does.",
    ]
    assert [market.count(line) for line in lines] == [1, 1, 1]
    assert index.count(lines[0]) == 1
    for text in (index, market):
        for word in ("dashed across: target", "Long dashes", "can still change", "Audited"):
            assert word not in text, word
    assert 'id="defect_rate"' not in found["index.html"].source
    assert "Nothing is judged: no figure has both a target and enough data." in index
    assert "Agreement: all 5 queues are without a target." in market
    with labels_only_warehouse() as con:
        found = _write_config(con, tmp_path, has_targets=True)
    assert "dashed across: target" in found["index.html"].text
    assert "Long dashes: target." in found["market-BR.html"].text


def test_a_feed_whose_rows_are_all_aside_is_not_called_missing(tmp_path: Path) -> None:
    """Stops "has not landed" about a file that was delivered and quarantined."""
    with labels_only_warehouse() as con:
        con.execute(
            "insert into ops.ledger values ('reviews', '2026-11-19', 'r.csv', 'x', 9, 5, 0, 5, 0, 'loaded', '')"
        )
        found = _write_config(con, tmp_path, has_targets=True)
    line = "every row of reviews is in quarantine or on hold; the page gets this when a good delivery lands."
    assert line in found["index.html"].text


def test_a_home_whose_files_are_all_in_quarantine(tmp_path: Path) -> None:
    """Stops a page of empty cells over files that nobody could read, and a table that leaves whole files out."""
    with empty_warehouse() as con:
        for place, (feed, rule) in enumerate((("labels", "FIL-001"), ("labels", "FIL-001"), ("reviews", "LBL-090"))):
            rows = 0 if feed == "labels" else 40
            key = [feed, date(2026, 11, 18 + place % 2), f"{feed}-{place}.csv"]
            ledger = "insert into ops.ledger values ($1, $2, $3, 'x', 9, $4, 0, $4, 0, 'quarantined', 'm')"
            con.execute(ledger, [*key, rows])
            con.execute("insert into quarantine.quarantined_files values (?, ?, ?, ?, 'line 7', ?)", [*key, rule, rows])
        found = _write_config(con, tmp_path, has_targets=True)
    index, contract = found["index.html"], found["contract.html"]
    assert "No figures yet: all that has landed is in quarantine or on hold." in index.text
    assert "40 of 40 landed rows and 3 whole files are in quarantine." in index.text
    assert '<table class="matrix"' not in index.source
    assert "labels 2 of 2 0 0 \u2013 reviews 1 of 1 40 40 100.00%" in index.text
    assert "LBL-090 reviews 1 40 1" in contract.text
    assert "FIL-001 labels The file cannot be parsed 2 not counted 2" in contract.text
    assert "labels 2 2 2 18 B 0 0 0 0" in contract.text
    assert "All that has landed is in quarantine or on hold" in found["market-BR.html"].text


def test_few_items_are_shown_as_not_enough_and_every_market_is_linked(tmp_path: Path) -> None:
    """Stops "no item that two people labelled" over 12 such items, and an index that leads to no market."""
    with labels_only_warehouse() as con:
        con.execute(
            "update marts.agreement set n_items = 12, n_ratings = 24, ci_low = null, ci_high = null, "
            "reason = 'too_few_items', estimate = case when metric = 'percent_agreement' then 0.8 end"
        )
        found = _write_config(con, tmp_path / "few", has_targets=True)
        con.execute("update marts.agreement set n_items = 0, estimate = null, reason = 'no_pairs'")
        none = _write_config(con, tmp_path / "none", has_targets=True)
    index, market = found["index.html"], found["market-BR.html"]
    assert "Nothing is judged: no figure has enough data." in index.text
    assert _cells(index, "agreement") == {"not enough data": 25}
    assert "12 of 20 items needed 80% of pairs agree" in index.text
    assert "Defect rate and audited share : the feed reviews has not landed" in index.text
    assert "12 of 20\u00a0items needed; 80% of pairs agree" in market.source
    assert "no market and queue has a decision audited at random, or an item" in none["index.html"].text
    for pages in (found, none):
        links = {attrs.get("href") for tag, attrs in pages["index.html"].elements if tag == "a"}
        assert {name for name in pages if name.startswith("market-")} <= links


def test_the_index_opens_on_what_to_act_on(pages: list[Path], tmp_path: Path) -> None:
    """Stops a page that opens on defect rates under a headline about agreement."""

    def opened(page: _Page) -> list[str | None]:
        return [attrs.get("id") for tag, attrs in page.elements if tag == "input" and "checked" in attrs]

    numbers = {name: (_cells(_read(pages[0]), name)["act"]) for name in ("defect_rate", "agreement")}
    assert opened(_read(pages[0])) == [f"show-{max(numbers, key=lambda name: numbers[name])}"]
    with fake_warehouse() as con:
        con.execute("update marts.defect_rate set estimate = 0.5, ci_low = 0.4, ci_high = 0.6 where n_items > 0")
        assert opened(_write_config(con, tmp_path, has_targets=True)["index.html"]) == ["show-defect_rate"]
        assert opened(_write_config(con, tmp_path, has_targets=False)["index.html"]) == ["show-defect_rate"]
        con.execute("update marts.agreement set estimate = 0.3, ci_low = 0.2, ci_high = 0.4 where n_items > 0")
        con.execute("update marts.defect_rate set estimate = 0.001, ci_low = 0, ci_high = 0.002")
        assert opened(_write_config(con, tmp_path, has_targets=True)["index.html"]) == ["show-agreement"]


def test_the_newest_day_fits_its_card(pages: list[Path]) -> None:
    """Stops the last column from being cut at 1400 px: heads of this table may break, its cells are narrow."""
    assert '<table class="plain newest">' in _read(pages[0]).source
    style = (pages[0].parent / "assets" / "style.css").read_text(encoding="utf-8")
    assert ".plain.newest thead th { white-space: normal; }" in style


def test_a_market_without_a_queue_is_not_counted(tmp_path: Path) -> None:
    """Stops "not enough data" for market queues in which nobody works."""
    with fake_warehouse() as con:
        for mart in ("agreement", "defect_rate"):
            con.execute(f"delete from marts.{mart} where market = 'DE' and queue = 'spam'")
        found = _write_config(con, tmp_path, has_targets=True)
    assert found["index.html"].text.count("of 24 market queues") == 3
    assert "Germany, Spam: no decisions" in found["index.html"].text


def test_every_page_says_where_it_comes_from(pages: list[Path]) -> None:
    """Stops a page without its date, run or synthetic notice: it could be taken for real or for today's."""
    for path in pages:
        text = _read(path).text
        for part in ("Thu 19 Nov 2026", "2026-11-20 04:52 UTC", "c03a01c8", "v7", "Synthetic data."):
            assert part in text, (path.name, part)


def test_no_notice_without_synthetic_data(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Stops a real home from being called synthetic."""
    assert all("ynthetic" not in page.read_text() for page in _write(warehouse, tmp_path, is_synthetic=False))


def test_a_market_says_what_is_behind_its_agreement(pages: list[Path]) -> None:
    """Stops the marts of agreement from being computed each night and shown nowhere."""
    page = _read(next(path for path in pages if path.name == "market-BR.html"))
    for sentence in (
        "Agreement fell in Hate speech and rose in Spam in the week of 16 Nov",
        "Hate speech: \u03b1 is 0.09 lower (0.05\u20130.13) than in the four weeks before, most of which was decided",
        "No change that the data can show: ",
        "lower than people on the whole: vendor borealis",
        "62% of disagreement is over ok / violating; as one label \u03b1 gains +0.05",
        "Agreement is better without a1 and vendor borealis",
        "less often for Vendor borealis, 80.0% (77.0\u201383.0%)",
        "+10.0 pt (+7.0 to +13.0 pt) when shown",
        "Calibration on 4 Nov (newest session with a whole week after it; 2 sessions in the numbers): \u03b1 of",
        "this does not say that the session did it.",
        "\u25c6 unreliable",
    ):
        assert sentence in page.text, sentence
    tables = re.findall(r"<caption>(.*?)</caption>", page.source)
    for caption in ("by queue, newest 28 days", "minus the 28 days before", "Confused labels", "worst first"):
        assert any(caption in found for found in tables), caption
    keys = {attrs["id"] for _, attrs in page.elements if "plot" in (attrs.get("class") or "").split()}
    # Nothing has enough data in one of the five queues: a sentence each with the reason, no empty figure.
    places = [place for place in range(5) if f"whom-{place}" in keys]
    assert len(places) == 5
    assert len([place for place in range(5) if f"confusion-{place}" in keys]) == 4
    assert len([place for place in range(5) if f"vitality-{place}" in keys]) == 4
    assert "Confused labels: not enough data. Which two labels" in page.text
    assert "Not shown: too few items." in page.text


def test_alarms_are_the_same_on_the_index_and_on_the_market(pages: list[Path]) -> None:
    """Stops an index that raises an alarm of which the market's page knows nothing, and two words for one judgement."""
    index = _read(pages[0])
    market = _read(next(path for path in pages if path.name == "market-BR.html"))
    line = "Worse since 6 Nov: 13.2% after 4.9%; changed between 4 and 6 Nov; alarm on 7 of the newest 7 days."
    assert (
        "Against their own past: Brazil \u203a Hate speech is worse (alarms on 2 of 80 control charts)." in index.text
    )
    for page in (index, market):
        assert line in page.text
        assert "Also: vendor altavia worse (11.5% after 4.6%)." in page.text
        assert "To do: Look at the newest defects of the queue" in page.text
        # Verdicts against the target have words of their own.
        (listed,) = re.findall(r'<ol class="alarms">(.*?)</ol>', page.source, re.DOTALL)
        assert not re.findall(r"\b(act|watch|on target)\b", re.sub(r"<[^>]*>", " ", listed))
    assert "Against their own past: Hate speech is worse (alarms on 2 of 16 control charts)." in market.text
    assert 'href="market-BR.html#q-hate"' in re.findall(r'<ol class="alarms">.*?</ol>', index.source, re.DOTALL)[0]


def test_a_night_without_alarms_says_how_much_was_watched(tmp_path: Path) -> None:
    """Stops an empty list of alarms that could also mean that nobody looked, and a list where there are no charts."""
    with fake_warehouse() as con:
        con.execute("delete from marts.signals")
        index = _write_config(con, tmp_path / "quiet", has_targets=True)["index.html"]
        con.execute("delete from marts.control_chart")
        none = _write_config(con, tmp_path / "none", has_targets=True)["index.html"]
    assert index.text.count("no alarm in the newest 7 days, 80 control charts watched.") == 2
    assert "Alarms of the newest 7 days" not in none.text


def test_a_market_says_what_is_behind_its_defects(pages: list[Path]) -> None:
    """Stops the marts of defects and control from being computed each night and shown nowhere."""
    page = _read(next(path for path in pages if path.name == "market-BR.html"))
    for sentence in (
        "Defect rate worse since 6 Nov: 13.2% after 4.9%",
        "It changed between 4 and 6 Nov. What to do: Look at the newest defects",
        "Vendors against their own past: altavia is worse; 2 in control",
        "Vendors against their own past: all 3 watched are in control.",
        "QA is not truth: corrected for QA\u2019s own errors the defect rate is 4.7% (3.1\u20136.8%).",
        "none of QA\u2019s blind verdicts was reviewed again",
        "severity-weighted defects per 1,000 decisions (121\u2013190); wrong policy is the commonest type",
        "The label violating is found less often than the label ok, by gold answers",
        "Known answers may have leaked",
        "One key is perhaps wrong: item-4711, the key says unclear",
        "3 of 9 lots of 17 Nov to 19 Nov are rejected; 1 needs more reviews",
        "A bad lot (10.0% defects) is accepted 61.7 times in 100: about 44 defects then stay in it.",
        "A lot with 5.4% defects passes 95 times in 100",
        "Defect rate: no baseline yet: 9 of 28 days",
    ):
        assert sentence in page.text, sentence


def test_what_no_queue_has_is_said_once(tmp_path: Path) -> None:
    """Stops the same sentence about a feed's missing column in every queue, and silence about it."""
    with fake_warehouse() as con:
        for mart in ("self_consistency", "anchoring", "calibration", "agreement_change"):
            con.execute(f"delete from marts.{mart}")
        text = _write_config(con, tmp_path, has_targets=True)["market-BR.html"].text
    for line in (
        "Self-consistency : no item came back to the same person on a later day.",
        "Effect of suggestions : no decision came with a suggested label.",
        "Calibration : no calibration session was held.",
    ):
        assert text.count(line) == 1, line
    assert "Is this week different?" not in text


def test_each_mart_is_read_once_a_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a query a queue and metric: pages of 20 markets with 20 queues would take minutes."""
    asked: Counter[str] = Counter()
    read = Reader.mart

    def counted(self: Reader, mart: Mart, **wanted: Any) -> list[MartRow]:
        asked[mart] += 1
        return read(self, mart, **wanted)

    monkeypatch.setattr(Reader, "mart", counted)
    with fake_warehouse() as con:
        _write_config(con, tmp_path, has_targets=True)
    assert set(asked) == set(MARTS)
    assert all(asked[mart] <= 5 for mart in set(MARTS) - {"agreement", "defect_rate"}), asked
    assert asked["agreement"] <= 2 * 5 + 3
    assert max(path.stat().st_size for path in tmp_path.glob("market-*.html")) < 1_500_000


def test_pages_load_nothing_and_have_no_inline_code(pages: list[Path], hostile_pages: list[Path]) -> None:
    """Stops external requests, inline handlers and inline scripts: the Content-Security-Policy would break the page."""
    for path in (*pages, *hostile_pages):
        page = _read(path)
        for tag, attrs in page.elements:
            assert not [name for name in attrs if name.startswith("on")], (path.name, tag, attrs)
            for name in ("href", "src"):
                link = attrs.get(name) or ""
                assert not re.match(r"(?i)(https?:|//|javascript:)", link), (path.name, link)
            if tag == "script":
                assert attrs.get("src") or attrs.get("type") == "application/json"
        for tag, attrs in page.elements:
            file = (attrs.get("href") or "").split("#")[0]
            assert tag != "a" or not file or (path.parent / file).is_file(), (path.name, file)


def test_links_within_pages_lead_somewhere(pages: list[Path], hostile_pages: list[Path]) -> None:
    """Stops a cell of the matrix from leading to a queue that the market's page does not have."""
    for written in (pages, hostile_pages):
        known = {path.name: {attrs.get("id") for _, attrs in _read(path).elements} for path in written}
        for path in written:
            for tag, attrs in _read(path).elements:
                file, _, anchor = (attrs.get("href") or "").partition("#")
                if tag == "a" and anchor:
                    assert anchor in known[file or path.name], (path.name, attrs["href"])


def test_hostile_names_stay_text(hostile_pages: list[Path]) -> None:
    """Stops a market, queue, vendor, version, file name, message, row or run id from becoming an element."""
    seen = ""
    for path in hostile_pages:
        page = _read(path)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"img", "iframe", "object", "embed", "base", "form"}
        assert "<script>alert" not in page.source
        assert sum(tag == "svg" for tag, _ in page.elements) == page.source.count('<svg class="spark"')
        assert path.name.isascii()
        seen += page.text
    for name in ("market", "queue_name", "file", "message", "row", "run"):
        assert re.sub(r"\s+", " ", HOSTILE[name])[:30] in seen, name


def test_empty_tables_give_pages_that_say_so(tmp_path: Path) -> None:
    """The first night may have nothing: stops a crash, and a 0 where nothing is known."""
    con = empty_warehouse()
    pages = _write(con, tmp_path)
    texts = {path.name: _Page(path).text for path in pages}
    assert "Not enough data: no day has been processed." in texts["index.html"]
    assert "Not enough data: no queue of this market has a figure yet." in texts["market-BR.html"]
    assert "No file has landed yet" in texts["contract.html"]
    assert "0.0%" not in texts["market-BR.html"]


def test_absent_tables_give_pages_too(tmp_path: Path) -> None:
    """Stops a crash on a home whose marts were never built."""
    with duckdb.connect(":memory:") as con:
        assert len(_write(con, tmp_path)) == 8


def test_marts_of_nulls_give_reasons(tmp_path: Path) -> None:
    """Rows with NULL or NaN and a reason: stops NaN in the JSON and figures without a word of why."""
    with empty_warehouse() as con:
        for estimate, reason in ((None, "too_few_items"), (float("nan"), "one_label_only")):
            for mart, kind, subject, metric in (
                ("agreement", "pool", "production", "krippendorff_alpha"),
                ("defect_rate", "rater_kind", "human", "defect_rate"),
            ):
                day = date(2026, 11, 1)
                row = [
                    "day",
                    day,
                    day,
                    "BR",
                    "hate",
                    kind,
                    subject,
                    metric,
                    "",
                    "",
                    *[estimate] * 3,
                    3,
                    6,
                    True,
                    reason,
                ]
                row += ["not enough data"] if mart == "agreement" else []
                con.execute(f"insert into marts.{mart} values ({', '.join('?' * len(row))})", row)
        pages = _write(con, tmp_path)
    page = _Page(next(path for path in pages if path.name == "market-BR.html"))
    assert "nan" not in page.source.lower().replace("nanosecond", "")
    assert "one label was used" in page.text


def test_pages_are_the_same_every_time(warehouse: duckdb.DuckDBPyConnection, pages: list[Path], tmp_path: Path) -> None:
    """Stops clocks and unordered sets from changing a page whose data did not change."""
    again = _write(warehouse, tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in pages]


def test_pages_of_gone_markets_are_removed_and_other_files_kept(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Stops a renamed market from leaving its old page, and the cleaning from taking a user's own file."""
    (tmp_path / "assets").mkdir()
    for name in ("market-XX.html", "notes.html", "assets/plotly-0.0.1.min.js"):
        (tmp_path / name).write_text("old")
    _write(warehouse, tmp_path)
    assert not (tmp_path / "market-XX.html").exists()
    assert not (tmp_path / "assets/plotly-0.0.1.min.js").exists()
    assert (tmp_path / "notes.html").read_text() == "old"


def test_a_file_in_place_of_the_folder_is_named(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The sentence has to name the path and say what to do."""
    blocked = tmp_path / "reports"
    blocked.write_text("a file")
    with pytest.raises(HomeError, match=r"reports is a file, but the pages need a folder there: move it away"):
        _write(warehouse, blocked)
    assert blocked.read_text() == "a file"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_something_else_in_a_page_s_place_is_named(tmp_path: Path, kind: str) -> None:
    """A folder called index.html, a file called assets: stops a traceback, and half-written leftovers."""
    if kind == "folder":
        (tmp_path / "index.html" / "inside").mkdir(parents=True)
    else:
        (tmp_path / "assets").write_text("a file")
    with pytest.raises(
        HomeError, match=r"index\.html is a folder" if kind == "folder" else r"assets.* is a file where"
    ):
        publish({"assets/a.js": "x", "index.html": "y"}, folder=tmp_path, obsolete=())
    assert not (tmp_path / WORKSHOP).exists()


def test_a_failing_build_leaves_the_old_pages(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Stops half a set of pages: everything is made before anything is replaced."""
    (tmp_path / "index.html").write_text("old")
    warehouse.execute("create table ops.spare as from ops.ledger")
    warehouse.execute("alter table ops.ledger drop column bytes")
    try:
        with pytest.raises(duckdb.Error):
            _write(warehouse, tmp_path)
    finally:
        warehouse.execute("drop table ops.ledger")
        warehouse.execute("alter table ops.spare rename to ledger")
    assert (tmp_path / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
