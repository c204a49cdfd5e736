"""Writes the static pages of a home: index, one page a market, contract, method. The one way in is `write_pages`.

Everything works from a file, offline: no page asks another host for anything. Markup is in `templates/`, what a page
says in `index_page`, `market_page` and `operations`.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import RECENT_DAYS, SUBJECT_KINDS, chart_states, recent_since
from qa_pipeline.charts.arrivals import Arrivals
from qa_pipeline.charts.index_page import index_context
from qa_pipeline.charts.market_page import market_context
from qa_pipeline.charts.market_rows import read_market
from qa_pipeline.charts.naming import Names, market_files
from qa_pipeline.charts.operations import read_operations
from qa_pipeline.charts.overview import SHOWN_DAYS, build_overview
from qa_pipeline.charts.past_alarms import past_since
from qa_pipeline.charts.publishing import publish
from qa_pipeline.charts.quality_rows import read_points, read_signals
from qa_pipeline.charts.reading import Reader
from qa_pipeline.charts.theme import figure_json
from qa_pipeline.charts.trends import Span
from qa_pipeline.charts.verdicts import (
    MIN_BASELINE_DAYS,
    MIN_ITEMS,
    PSI_LARGE,
    PSI_NOTICEABLE,
)
from qa_pipeline.config import Config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.marts.verdicts import RELIABLE_FROM, TENTATIVE_FROM

ASSETS = ("style.css", "theme.js", "pages.js")


def write_pages(
    con: duckdb.DuckDBPyConnection,
    *,
    reports: Path,
    config: Config,
    built_at: str,
    run_id: str,
    is_synthetic: bool,
) -> list[Path]:
    """Write every page into `reports` and return the paths of the pages, `index.html` first.

    Reads marts, tallies, ops and quarantine through `con` and changes nothing there; a table that is absent or empty
    gives pages that say so. `built_at` and `run_id` are printed as given. `is_synthetic` puts a notice on every page.
    Pages of markets that are gone are removed. Raises HomeError when `reports` cannot be written.
    """
    reader = Reader(con)
    last = reader.newest_day()
    names = Names.of(config, codes=reader.codes())
    files = market_files(names.markets)
    # Without any data the trends are empty, whatever days they would show.
    end = last or date(2000, 1, 1)
    span = Span(first=_first_day(reader, end), last=end)
    overview = build_overview(reader, config=config, names=names, span=span)
    operations = read_operations(reader)
    arrivals = Arrivals.of(operations)
    volumes = reader.volumes(span.first)
    changes = reader.guideline_changes()
    since = recent_since(end)
    signals = read_signals(reader, subject_kinds=SUBJECT_KINDS, since=past_since(end))
    points = read_points(reader, subject_kinds=SUBJECT_KINDS, since=since)
    states = chart_states(points, signals, last=end, baseline=config.quality.baseline)
    plotly_name, plotly_code = _plotly()
    environment = _environment()
    frame: dict[str, Any] = {
        "through": words.day(last) if last else "no data yet",
        "has_data": last is not None,
        "built_at": built_at,
        "run_id": run_id,
        "taxonomy_version": config.taxonomy.version,
        "operations": operations,
        "is_synthetic": is_synthetic,
        "markets": [(code, name, files[code]) for code, name in names.markets.items()],
        "plotly": f"assets/{plotly_name}",
        "has_charts": False,
    }

    def render(template: str, **context: Any) -> str:
        return environment.get_template(template).render(frame | context)

    pages: dict[str, str | bytes] = {f"assets/{name}": _asset(name) for name in ASSETS}
    pages[f"assets/{plotly_name}"] = plotly_code
    n_assets = len(pages)
    for market, file in files.items():
        context = market_context(
            read_market(reader, market=market, overview=overview, volumes=volumes, changes=changes),
            market=market,
            overview=overview,
            config=config,
            arrivals=arrivals,
            all_states=states,
            signals=signals,
        )
        pages[file] = render("market.html.j2", has_charts=True, **context)
    pages["contract.html"] = render(
        "contract.html.j2", feeds=FEEDS, page="contract", shown_rules={rule.rule_id for rule in operations.rules}
    )
    pages["method.html"] = render("method.html.j2", page="method", **_method(config))
    index = index_context(
        overview,
        files=files,
        volumes=volumes,
        operations=operations,
        arrivals=arrivals,
        states=states,
        signals=signals,
        annotators=read_signals(reader, subject_kinds=["annotator"], since=since),
    )
    pages["index.html"] = render("index.html.j2", page="index", **index)
    written = publish(pages, folder=reports, obsolete=("market-*.html", "assets/plotly-*.js"))
    html = written[n_assets:]
    return [html[-1], *html[:-1]]


def _first_day(reader: Reader, last: date) -> date:
    """First day that the trends show: 12 weeks before the newest, or later when the data begins later."""
    earliest = last - timedelta(days=SHOWN_DAYS - 1)
    days = [volume.day for volume in reader.volumes(earliest)]
    rows = reader.mart(
        "agreement", metrics=["percent_agreement"], subject_kinds=["pool"], periods=["day"], since=earliest
    )
    days += [row.start for row in rows]
    # A week at least, so that one night's chart has an axis.
    return max(earliest, min([day for day in days if day >= earliest] + [last - timedelta(days=6)]))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("qa_pipeline.charts", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure_json": figure_json,
        "count": words.count,
        "bytes": words.bytes_text,
        "day": words.day,
        "short": words.short,
    }
    environment.globals |= {"plural": words.plural}
    return environment


def _asset(name: str) -> bytes:
    return (resources.files("qa_pipeline.charts") / "assets" / name).read_bytes()


@cache
def _plotly() -> tuple[str, bytes]:
    """File name, with its version, and text of plotly.js as the plotly package ships it."""
    # Here, not at the top: importing plotly takes 0.2 s, and only this needs it.
    from plotly.offline import get_plotlyjs, get_plotlyjs_version  # noqa: PLC0415

    return f"plotly-{get_plotlyjs_version()}.min.js", get_plotlyjs().encode()


def _method(config: Config) -> Mapping[str, Any]:
    return {
        "restate_days": config.pipeline.restate_days,
        "min_items": MIN_ITEMS,
        "reliable": RELIABLE_FROM,
        "tentative": TENTATIVE_FROM,
        "psi_noticeable": PSI_NOTICEABLE,
        "psi_large": PSI_LARGE,
        "baseline_days": MIN_BASELINE_DAYS,
        "control_baseline": config.quality.baseline,
        "recent_days": RECENT_DAYS,
        "shown_days": SHOWN_DAYS,
    }
