"""Small warehouses and rows for testing the suites: a good row of every feed, and the rows that break each rule.

Rows and cases belong here; what is asserted of them is in `sql/test_suites.py` and `sql/test_cross_suites.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from qa_pipeline.config import Config
from qa_pipeline.contracts import FEEDS, Column, Feed
from qa_pipeline.settings import project_root
from qa_pipeline.suites import Suite, load_suite
from qa_pipeline.validation import run_suite
from qa_pipeline.warehouse import prepare, set_market_days, validated_columns

# Berlin's clocks go forward on this day, so it has 23 hours there: 28 March 23:00 UTC to 29 March 22:00 UTC.
DAY = date(2026, 3, 29)
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SAO_PAULO_START = datetime(2026, 3, 29, 3, tzinfo=UTC)  # UTC-3 all year
BERLIN_START = datetime(2026, 3, 28, 23, tzinfo=UTC)
BERLIN_END = datetime(2026, 3, 29, 22, tzinfo=UTC)
TOKYO_START = datetime(2026, 3, 28, 15, tzinfo=UTC)  # UTC+9 all year
CROSS_SUITES = ("cross_labels", "cross_reviews", "cross_appeals")
LABEL_COLUMNS = ("label", "verdict_label", "original_label", "final_label")
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One row: what is changed of a good row, and the ids (without prefix) of exactly the rules that it then fails."""

    name: str
    changes: Mapping[str, Any]
    fails: frozenset[str] = field(default_factory=frozenset)


def case(name: str, *fails: str, **changes: Any) -> Case:
    """Case that fails the given rules."""
    return Case(name, changes, frozenset(fails))


def suite(name: str) -> Suite:
    """A suite of the project."""
    return load_suite(suite_file(name))


def suite_file(name: str) -> Path:
    """Where a suite of the project is."""
    return project_root() / "expectations" / f"{name}.json"


def warehouse() -> duckdb.DuckDBPyConnection:
    """A warehouse in memory with three markets, a single-select and a multi-select queue, and the days around DAY."""
    labels = [{"code": code, "is_violating": code != "none"} for code in ("none", "hate")]
    topics = [{"code": code, "is_violating": True} for code in ("a", "b", "c")]
    config = Config.model_validate(
        {
            "taxonomy": {
                "version": "1",
                "queues": {"hate": {"labels": labels}, "topics": {"is_multi_select": True, "labels": topics}},
            },
            "markets": {
                "markets": {
                    "BR": {"time_zone": "America/Sao_Paulo"},
                    "DE": {"time_zone": "Europe/Berlin"},
                    "JP": {"time_zone": "Asia/Tokyo"},
                }
            },
            "targets": {},
            "pipeline": {"threads": 2, "restate_days": 28},
        }
    )
    con = duckdb.connect()
    prepare(con, config)
    set_market_days(con, config, business_date=DAY)
    return con


def good_row(feed: Feed, number: int, **changes: Any) -> Row:
    """A row of DAY that passes every rule of its feed; `number` makes its key and row_id its own."""
    row: Row = {"business_date": DAY, "file_name": "a.csv", "row_number": number, "row_id": number}
    row |= {column.name: _good_value(feed, column, number) for column in feed.columns}
    unknown = set(changes) - set(validated_columns(feed))
    if unknown:
        message = f"{feed.name} has no columns {sorted(unknown)}"
        raise KeyError(message)
    return row | changes


def _good_value(feed: Feed, column: Column, number: int) -> Any:
    named = {
        "market": "BR",
        "queue": "hate",
        "score": 0.5,
        "inclusion_probability": 0.1,
        "handle_seconds": 20.0,
        "paid_minutes": 480.0,
        "productive_minutes": 400.0,
        "hired_on": DAY - timedelta(days=300),
        "certified_on": DAY - timedelta(days=200),
    }
    by_type = {"timestamp": NOON, "date": DAY, "double": 1.0, "bigint": 1, "boolean": True, "string": "x"}
    if column.name in LABEL_COLUMNS:
        return "none"
    if column.name in feed.key and column.name not in ("market", "queue"):
        return f"{feed.name}-{number}"
    if column.values:
        return column.values[number % len(column.values)]
    return named.get(column.name, by_type[column.type])


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Row]) -> None:
    """Add rows to a table, column by name."""
    for row in rows:
        marks = ", ".join("?" for _ in row)
        con.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def batch_of(con: duckdb.DuckDBPyConnection, feed: Feed, rows: Iterable[Row]) -> str:
    """Make `rows` the whole partition of a feed and return the view over it."""
    con.execute(f"delete from validated.valid_{feed.name}")
    con.execute("begin")
    insert(con, f"validated.valid_{feed.name}", rows)
    con.execute("commit")
    con.execute(f"create or replace temp view batch as select * from validated.valid_{feed.name}")
    return "batch"


def failing(con: duckdb.DuckDBPyConnection, *, suite: Suite, batch: str) -> dict[str, set[tuple[date, int]]]:
    """Failing rows (business_date, row_id) by rule id; every rule must have been evaluated, each row counted once."""
    found: dict[str, set[tuple[date, int]]] = {}
    for outcome in run_suite(con, suite=suite, batch=batch):
        if outcome.message is not None:
            raise AssertionError(f"{outcome.rule.rule_id}: {outcome.message}")
        sql = outcome.failing_rows_sql
        rows = con.execute(sql).fetchall() if sql is not None else []
        if len(rows) != outcome.rows_failed or outcome.is_success != (not rows):
            raise AssertionError(f"{outcome.rule.rule_id}: {outcome.rows_failed} counted, {len(rows)} found")
        found[outcome.rule.rule_id] = {(row[0], row[1]) for row in rows}
    return found


def common_cases(feed: Feed) -> list[Case]:
    """Cases of the rules that every feed has where the columns exist."""
    cases = [
        case("good"),
        case("missing value", "001", missing_values=feed.required_names[0]),
        case("wrong type", "002", type_errors=feed.names[-1]),
    ]
    if "market" in feed.names:
        cases += [case("unknown market", "003", market="ZZ"), case("market in other letters", "003", market="br")]
        # A missing market is 001's to say.
        cases += [case("no market", market=None)]
    if "queue" in feed.names:
        cases += [case("unknown queue", "004", queue="zz"), case("no queue", queue=None)]
    for column in sorted(set(LABEL_COLUMNS) & set(feed.names)):
        cases += _label_cases(feed, column)
    if feed.event_at is not None:
        cases += _time_cases(feed.event_at)
    for closed in (column for column in feed.columns if column.values):
        cases += [case(f"{closed.name} {value}", **{closed.name: value}) for value in closed.values]
        cases += [case(f"{closed.name} unknown", "008", **{closed.name: "other"})]
        cases += [case(f"{closed.name} missing", **{closed.name: None})]
    return cases


def _label_cases(feed: Feed, column: str) -> list[Case]:
    """The rest of an appeal's labels must fit the queue too, so all are changed and one is made wrong."""

    def labelled(name: str, *fails: str, label: str | None, right: str, queue: str) -> Case:
        labels = {other: right for other in LABEL_COLUMNS if other in feed.names}
        return Case(f"{column} {name}", {**labels, column: label, "queue": queue}, frozenset(fails))

    return [
        labelled("not in taxonomy", "005", label="zz", right="none", queue="hate"),
        labelled("of another queue", "005", label="a", right="none", queue="hate"),
        labelled("two codes in a single-select queue", "005", label="hate|none", right="none", queue="hate"),
        labelled("absent", label=None, right="none", queue="hate"),
        labelled("of an unknown queue", "004", label="zz", right="zz", queue="zz"),
        labelled("one code", label="b", right="a", queue="topics"),
        labelled("several codes", label="a|c", right="a", queue="topics"),
        labelled("a wrong code among good ones", "005", label="a|zz", right="a", queue="topics"),
        labelled("an empty code", "005", label="a|", right="a", queue="topics"),
    ]


def _time_cases(column: str) -> list[Case]:
    def at(name: str, *fails: str, market: str | None, time: datetime | None) -> Case:
        # The other end of a pair of times is left out, so that only the date is judged.
        other = {"submitted_at": "assigned_at", "filed_at": "resolved_at"}.get(column)
        return Case(name, {"market": market, column: time} | ({other: None} if other else {}), frozenset(fails))

    return [
        at("Sao Paulo, first tick", market="BR", time=SAO_PAULO_START),
        at("Sao Paulo, tick before", "006", market="BR", time=SAO_PAULO_START - TICK),
        at("Sao Paulo, tick after", "007", market="BR", time=SAO_PAULO_START + timedelta(days=1)),
        at("Berlin, first tick", market="DE", time=BERLIN_START),
        at("Berlin, tick before", "006", market="DE", time=BERLIN_START - TICK),
        at("Berlin, last tick of 23 hours", market="DE", time=BERLIN_END - TICK),
        at("Berlin, tick after 23 hours", "007", market="DE", time=BERLIN_END),
        at("Tokyo, first tick", market="JP", time=TOKYO_START),
        at("Tokyo, tick before", "006", market="JP", time=TOKYO_START - TICK),
        at("no time", market="BR", time=None),
        at("unknown market, a year off", "003", market="ZZ", time=NOON - timedelta(days=365)),
        at("no market, a year off", market=None, time=NOON + timedelta(days=365)),
    ]


OWN_CASES: dict[str, list[Case]] = {
    "labels": [
        case("assigned after submitted", "010", assigned_at=NOON + TICK),
        case("assigned when submitted", assigned_at=NOON),
        case("not assigned", assigned_at=None),
        case("handled in less than nothing", "011", handle_seconds=-0.001),
        case("handled for more than a day", "011", handle_seconds=86400.5),
        case("handle time is not a number", "011", handle_seconds=float("nan")),
        case("handled for a day", handle_seconds=86400.0),
        case("no handle time", handle_seconds=None),
        case("handled in a blink", "012", handle_seconds=0.49),
        case("handled at once", "012", handle_seconds=0.0),
        case("handled in half a second", handle_seconds=0.5),
    ],
    "predictions": [
        case("score below 0", "010", score=-1e-9),
        case("score above 1", "010", score=1.0000001),
        case("score is not a number", "010", score=float("nan")),
        case("score is infinite", "010", score=float("inf")),
        case("score 0", score=0.0),
        case("score 1", score=1.0),
        case("classifier without score", "011", score=None, model_kind="classifier"),
        case("judge without score", score=None, model_kind="llm"),
        # What could not be read is a wrong type, not a missing score.
        case("classifier with unreadable score", "002", score=None, model_kind="classifier", type_errors="score"),
    ],
    "items": [
        case("priority 0", "010", priority=0),
        case("no priority", priority=None),
        case("no language", "011", language=None),
    ],
    "gold": [
        case("no guideline", "010", guideline_version=None),
        case("valid from the last tick", market="DE", valid_from=BERLIN_END - TICK),
        case("valid from the next day", "007", market="DE", valid_from=BERLIN_END),
        case("valid for years", market="DE", valid_from=NOON - timedelta(days=900)),
        case("no start", valid_from=None),
        # The day ends last in Sao Paulo, 30 March 03:00 UTC; until then the answer holds somewhere.
        case(
            "everywhere, until the last market's end",
            market=None,
            valid_from=SAO_PAULO_START + timedelta(days=1) - TICK,
        ),
        case(
            "everywhere, after the last market's end",
            "007",
            market=None,
            valid_from=SAO_PAULO_START + timedelta(days=1),
        ),
        case("unknown market from next year", "003", market="ZZ", valid_from=NOON + timedelta(days=365)),
    ],
    "reviews": [
        case("probability 0", "010", inclusion_probability=0.0),
        case("probability above 1", "010", inclusion_probability=1.01),
        case("probability is not a number", "010", inclusion_probability=float("nan")),
        case("probability 1", inclusion_probability=1.0),
        case("tiny probability", "010", inclusion_probability=1e-9),
        case("small probability", inclusion_probability=1e-5),
        case("random without probability", "011", sampling="random", inclusion_probability=None),
        case("targeted without probability", sampling="targeted", inclusion_probability=None),
    ],
    "appeals": [
        case("resolved before it was filed", "010", resolved_at=NOON - TICK),
        case("resolved at once", resolved_at=NOON),
        case("still open", resolved_at=None),
    ],
    "roster": [
        case("certified before hired", "010", hired_on=DAY - timedelta(days=9), certified_on=DAY - timedelta(days=10)),
        case("certified when hired", hired_on=DAY, certified_on=DAY),
        case("hired tomorrow", "007", hired_on=DAY + timedelta(days=1), certified_on=None),
        case("unknown market, hired tomorrow", "003", market="ZZ", hired_on=DAY + timedelta(days=1), certified_on=None),
        case("dormant account", "011", is_active=False),
        case("inactive, not certified", is_active=False, certified_on=None),
    ],
    "timesheets": [
        case("paid less than nothing", "010", "011", paid_minutes=-1.0, productive_minutes=0.0),
        case("paid more than a day", "010", paid_minutes=1440.5),
        case("paid is not a number", "010", paid_minutes=float("nan")),
        case("paid for a day", paid_minutes=1440.0),
        case("productive below 0", "011", productive_minutes=-1.0),
        case("productive above paid", "011", productive_minutes=480.5),
        case("productive is not a number", "011", productive_minutes=float("nan")),
        case("productive throughout", productive_minutes=480.0),
        case("nothing productive", "012", productive_minutes=0.0),
        case("day off", paid_minutes=0.0, productive_minutes=0.0),
    ],
}


def cases_of(feed: Feed) -> list[Case]:
    """All cases of a feed whose rows stand for themselves (repeated keys and blocks are about several rows)."""
    return common_cases(feed) + OWN_CASES[feed.name]


ALL_CASES: tuple[tuple[str, int, Case], ...] = tuple(
    (name, number, one) for name, feed in FEEDS.items() for number, one in enumerate(cases_of(feed), start=1)
)
