"""Great Expectations inside DuckDB: run one suite over one batch, and say which rows failed which rule.

Only the bridge between the two belongs here. What the rules are is in `expectations/`, reading them is
`suites`, and what becomes of a failing row is decided by `loading` and `restating`.

GX knows no DuckDB dialect. Two things make it work (GX 1.24, duckdb-engine 0.17, SQLAlchemy 2.0 and 2.1): an
execution engine that keeps one connection open, because `execute_query` returns a cursor whose connection GX
has already closed, and a datasource that hands out that engine. The connection is the pipeline's own, in
autocommit: inside a transaction one failing expectation would abort the transaction for all that follow.
Importing Great Expectations costs 3 to 5 seconds, so it happens in the functions that run it.
"""

import functools
import logging
import os
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import duckdb

from qa_pipeline.suites import Rule, Suite

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS_TYPE = "UnexpectedRowsExpectation"
ROW_COLUMNS = ("business_date", "row_id")
_RESULT_FORMAT = {
    "result_format": "BASIC",
    "unexpected_index_column_names": list(ROW_COLUMNS),
    "return_unexpected_index_query": True,
    "partial_unexpected_count": 0,
}


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule found in a batch.

    `failing_rows_sql` selects `business_date, row_id` of the failing rows (None when none failed or the rule could
    not be evaluated); `message` is set only when the rule raised an error, and then `is_success` is False.
    """

    rule: Rule
    rows_failed: int
    is_success: bool
    message: str | None
    failing_rows_sql: str | None


def run_suite(con: duckdb.DuckDBPyConnection, *, suite: Suite, batch: str) -> "list[RuleOutcome]":
    """Evaluate every rule of `suite` over the table or view `batch`, in the suite's order.

    A rule that raises is reported as not successful with the error's text: the caller must treat it as a block,
    never as "no bad rows".
    """
    if not suite.rules:
        return []
    gx = _great_expectations()
    types = {_ROWS_TYPE: _bridge().CountedRows}
    expectations = [
        types.get(rule.expectation_type, getattr(gx.expectations, rule.expectation_type))(
            **rule.kwargs, meta={"rule_id": rule.rule_id}
        )
        for rule in suite.rules
    ]
    with _bridge().borrowed(con, table=batch) as gx_batch:
        result = gx_batch.validate(
            gx.ExpectationSuite(name=suite.name, expectations=expectations), result_format=_RESULT_FORMAT
        )
    # Results come back out of the suite's order, so they are joined on the rule id.
    by_rule = {item.expectation_config.meta["rule_id"]: item for item in result.results}
    return [_outcome(rule, by_rule.get(rule.rule_id), batch=batch) for rule in suite.rules]


def warm_up() -> None:
    """Import Great Expectations now, so that the first suite does not wait for it."""
    _great_expectations()
    _bridge()


def _outcome(rule: Rule, item: Any, *, batch: str) -> RuleOutcome:
    if item is None:
        return RuleOutcome(
            rule, 0, is_success=False, message="Great Expectations gave no result", failing_rows_sql=None
        )
    raised = _raised(item.exception_info)
    if raised is not None:
        return RuleOutcome(rule, 0, is_success=False, message=raised, failing_rows_sql=None)
    found = item.result
    if rule.expectation_type == _ROWS_TYPE:
        count = int(found["observed_value"])
        query = str(rule.kwargs["unexpected_rows_query"]).replace("{batch}", f"(select * from {batch}) as subselect")
    else:
        count = int(found["unexpected_count"] or 0)
        query = str(found.get("unexpected_index_query") or "").rstrip().removesuffix(";")
    if count == 0:
        return RuleOutcome(rule, 0, is_success=bool(item.success), message=None, failing_rows_sql=None)
    if not query:
        return RuleOutcome(
            rule, count, is_success=False, message="no query for its failing rows", failing_rows_sql=None
        )
    rows = f"select distinct {', '.join(ROW_COLUMNS)} from ({query}) as failing"
    return RuleOutcome(rule, count, is_success=False, message=None, failing_rows_sql=rows)


def _raised(info: Any) -> str | None:
    """First error in a result's exception info: GX gives one dict, or one per metric."""
    if not info:
        return None
    entries: Sequence[Any] = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry["raised_exception"]:
            return str(entry["exception_message"]).strip().splitlines()[0]
    return None


@functools.cache
def _great_expectations() -> ModuleType:
    """Great Expectations, imported once, quiet, and told not to report usage."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        # GX 1.24 imports sre_constants and names of marshmallow that are on their way out; not ours to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx  # noqa: PLC0415 - 3 to 5 s
        import great_expectations.expectations  # noqa: PLC0415 - as above
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return gx


@functools.cache
def _bridge() -> ModuleType:
    import qa_pipeline.gx_duckdb as bridge  # noqa: PLC0415 - imports Great Expectations

    return bridge
