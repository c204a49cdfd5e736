"""reports: the pages for people and the warehouse for readers, made once at the end of a night."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from qa_pipeline import landing
from qa_pipeline.contracts import FEEDS
from qa_pipeline.defs import describing
from qa_pipeline.defs.facts import LAYERS as FACT_LAYERS
from qa_pipeline.defs.feed_checks import quarantined_key
from qa_pipeline.defs.marts import FRESHNESS, mart_key, started_at
from qa_pipeline.defs.partitions import OWNERS, REPORTS_GROUP, WRITER_POOL, Told
from qa_pipeline.defs.resources import Warehouse
from qa_pipeline.defs.restated import node_key, nodes_of
from qa_pipeline.defs.synthetic import is_synthetic
from qa_pipeline.defs.tallies import LAYERS as TALLY_LAYERS
from qa_pipeline.instance import pages_url
from qa_pipeline.marts.build import MARTS
from qa_pipeline.publishing import publish
from qa_pipeline.restating import views_read
from qa_pipeline.review_sample import COLUMNS, write_review_sample
from qa_pipeline.warehouse import sql_file

PAGES_KEY = dg.AssetKey(["reports", "pages"])
SAMPLE_KEY = dg.AssetKey(["reports", "review_sample"])
PUBLISHED_KEY = dg.AssetKey(["reports", "published_warehouse"])
LANDING_CHECK = "landing_has_no_strays"


def page_links(pages: list[Path], *, folder: Path) -> str:
    """Markdown with a link to each page, the index first."""
    base = pages_url()
    names = [page.relative_to(folder).as_posix() for page in pages]
    return " · ".join(f"[{_title(name)}]({base}/{name})" for name in names)


def _title(name: str) -> str:
    return "all markets" if name == "index.html" else name.removesuffix(".html").removeprefix("market-")


def _sample_deps() -> list[dg.AssetKey]:
    """What the picking of reviews reads, itself or through a view."""
    text = sql_file("reports", "review_sample").text
    views = views_read(text)
    read = describing.tables_read("\n".join([text, *views.values()]))
    return [dg.AssetKey(list(table)) for table in sorted(read) if ".".join(table) not in views]


@dg.definitions
def reports() -> dg.Definitions:
    """The pages, the reviews to make next, and the published warehouse."""

    @dg.asset(
        key=PAGES_KEY,
        deps=[mart_key(name) for name in MARTS],
        description="Static pages with charts, one per market and an index, readable offline from a file. "
        "`qa-pipeline ui` serves them on a port of their own; the links are in the metadata.",
        group_name=REPORTS_GROUP,
        kinds={"plotly", "python"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        pool=WRITER_POOL,
    )
    def pages(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Told]:
        from qa_pipeline.charts.pages import write_pages  # noqa: PLC0415 - plotly costs a second

        started = started_at(context)
        with warehouse.opened() as work:
            written = write_pages(
                work.con,
                reports=work.home.reports,
                config=work.config,
                built_at=f"{started:%Y-%m-%d %H:%M} UTC",
                run_id=context.run.run_id,
                is_synthetic=is_synthetic(work.con, work.home),
            )
        yield dg.MaterializeResult(
            metadata={
                "report": dg.MetadataValue.url(f"{pages_url()}/index.html"),
                "open": dg.MetadataValue.md(page_links(written, folder=work.home.reports)),
                "pages": len(written),
                "file": dg.MetadataValue.path(work.home.reports / "index.html"),
            }
        )

    @dg.asset(
        key=SAMPLE_KEY,
        deps=_sample_deps(),
        description="`reports/review_sample-<date>.csv`: the decisions of the newest date that reviewers get next, as "
        "`marts.review_plan` has it, with the columns of feed reviews that are known beforehand. No annotator and no "
        "label, so that whoever gets the file reviews blind.".replace("<", "&lt;"),
        group_name=REPORTS_GROUP,
        kinds={"duckdb", "csv"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        pool=WRITER_POOL,
    )
    def review_sample(warehouse: Warehouse) -> Iterator[Told]:
        with warehouse.opened() as work:
            sample = write_review_sample(work.con, reports=work.home.reports)
        if sample is None:
            yield dg.MaterializeResult(metadata={"reviews": 0, "why": "no production decisions have landed"})
            return
        yield dg.MaterializeResult(
            metadata={
                "reviews": sample.rows,
                "decisions of": sample.plan_date.isoformat(),
                "file": dg.MetadataValue.path(sample.path),
                "download": dg.MetadataValue.url(f"{pages_url()}/{sample.path.name}"),
                "columns": ", ".join(COLUMNS),
            }
        )

    @dg.asset(
        key=PUBLISHED_KEY,
        # The pages and the sample as well: a night is published whole or not at all.
        deps=[
            PAGES_KEY,
            SAMPLE_KEY,
            *(mart_key(name) for name in MARTS),
            *(node_key(node) for node in nodes_of(TALLY_LAYERS)),
            *(node_key(node) for node in nodes_of(FACT_LAYERS) if node.layer == "ops"),
            *(quarantined_key(feed) for feed in FEEDS.values()),
        ],
        description="`published/warehouse.duckdb`: marts, tallies, ops, quarantine and config for readers, replaced "
        "whole by an atomic rename. A reader that holds the old one open keeps it; nobody waits.",
        group_name=REPORTS_GROUP,
        kinds={"duckdb"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        check_specs=[
            dg.AssetCheckSpec(
                LANDING_CHECK,
                asset=PUBLISHED_KEY,
                description="Every folder in landing/ is a feed's and called date=YYYY-MM-DD; others are not loaded.",
            )
        ],
        pool=WRITER_POOL,
    )
    def published_warehouse(warehouse: Warehouse) -> Iterator[Told]:
        with warehouse.opened() as work:
            target = publish(work.con, work.home)
        strays = landing.misplaced(work.home)
        yield dg.MaterializeResult(
            metadata={
                "file": dg.MetadataValue.path(target),
                "megabytes": round(target.stat().st_size / 1e6, 2),
                "how to read": dg.MetadataValue.md('`qa-pipeline sql "from marts.agreement limit 10"`'),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=LANDING_CHECK,
                    passed=not strays,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata=describing.metadata(
                        strays=len(strays),
                        examples=describing.rows_table(
                            ("feed", "folder", "what to do"),
                            [(feed, folder, str(reason)) for feed, folder, reason in strays[: describing.SAMPLE_ROWS]],
                        )
                        if strays
                        else None,
                    ),
                )
            ],
        )

    return dg.Definitions(assets=[pages, review_sample, published_warehouse])
