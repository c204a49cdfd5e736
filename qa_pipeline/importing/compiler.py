"""A mapping and one source file, compiled to one DuckDB SELECT.

The SELECT yields every row that the mapping makes of the file, in file order, the good and the others alike, so that
each is counted in exactly one place: `_dropped` names the rule that dropped it, `_reasons` lists what is wrong with
a rejected one, and a row with neither is written. Nothing is executed here.
"""

from dataclasses import dataclass

from qa_pipeline.contracts import FEEDS, SQL_TYPES, Column
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.checks import business_date_column, mapped_columns
from qa_pipeline.importing.columns import STAGES, compile_column
from qa_pipeline.importing.conversions import is_local_sql
from qa_pipeline.importing.mapping import Condition, Explode, Mapping, relative_keys
from qa_pipeline.importing.references import Extraction, Reference, Scope, UnknownHeaderError, null_if, pointer
from qa_pipeline.importing.sources import SourceFile
from qa_pipeline.landing import quote_text


@dataclass(frozen=True)
class Compiled:
    """`sql` as described above; `absent` are optional columns whose source column the file does not have."""

    sql: str
    absent: tuple[str, ...]


def output_columns(target: str) -> tuple[Column, ...]:
    """Columns of the compiled SELECT besides its own (`_row` …): the feed's, and the folder's date if it is mapped."""
    feed = FEEDS[target]
    return feed.columns if feed.event_at is not None else (*feed.columns, business_date_column())


def zoned_columns(mapping: Mapping) -> tuple[str, ...]:
    """Columns with times that take the zone of the mapping when they have none; `_local_<column>` says which did."""
    return tuple(name for name, spec in mapping.columns.items() if is_local_sql(spec, "") is not None)


def compile_select(mapping: Mapping, source: SourceFile) -> Compiled:
    """Compile the mapping for one source file.

    Returns a SELECT with `_row BIGINT` (1-based record number), `_place VARCHAR` (where, for rejected rows),
    `_dropped VARCHAR`, `_reasons STRUCT("column" VARCHAR, reason VARCHAR, "value" VARCHAR)[]`, `_record JSON` (the
    verbatim record of a rejected row) the columns of `output_columns`, typed, and
    `_local_<column> BOOLEAN` of `zoned_columns`.
    Raises MappingError when a table-like file lacks a column that a condition or a required column needs.
    """
    chain = _Chain("delivered", source.relation_sql)
    chain.add("source", ["cast(null as varchar) as _dropped"])
    scope = Scope(aliases=(), headers=source.headers, file_name=source.name)
    for number, step in enumerate(mapping.explode, start=1):
        reference = _resolve(scope, step.path, source)
        _explode(chain, step=step, reference=reference, number=number, nulls=mapping.source.null_values)
        scope = scope.with_alias(step.alias)
    if mapping.where:
        _filter(chain, mapping=mapping, scope=scope, source=source)
    absent = _columns(chain, mapping=mapping, scope=scope, source=source)
    return Compiled(sql=chain.sql(_final(mapping, source=source, absent=absent)), absent=absent)


class _Chain:
    """A chain of CTEs, each reading the one before it."""

    def __init__(self, name: str, sql: str) -> None:
        self._parts = [(name, sql)]

    def add(self, name: str, columns: list[str], *, without: str = "") -> None:
        """Append a step that keeps every column (but `without`) and adds `columns`."""
        exclude = f" exclude ({without})" if without else ""
        body = ",\n    ".join(["select *" + exclude, *columns])
        self._parts.append((name, body + "\nfrom " + self._parts[-1][0]))

    def sql(self, columns: list[str]) -> str:
        """The whole text, ending in a SELECT of `columns`."""
        steps = ",\n".join(f"{name} as not materialized (\n{body}\n)" for name, body in self._parts)
        return "with " + steps + "\nselect " + ",\n    ".join(columns) + "\nfrom " + self._parts[-1][0]


def _resolve(scope: Scope, path: str, source: SourceFile) -> Reference:
    try:
        return scope.resolve(path)
    except ValueError as err:
        message = f"{source.path} {err}: correct the path in the mapping; nothing was imported."
        raise MappingError(message) from err


def _condition(text: str, condition: Condition, nulls: tuple[str, ...]) -> str:
    values = ", ".join(quote_text(value) for value in condition.values)
    return f"coalesce({null_if(text, nulls)}, '') {'not in' if condition.is_negated else 'in'} ({values})"


def _element_condition(column: str, step: Explode, nulls: tuple[str, ...]) -> str:
    tests = [
        _condition(f"json_extract_string({column}, {quote_text(pointer(relative_keys(path)))})", condition, nulls)
        for path, condition in step.where.items()
    ]
    return " and ".join(tests) or "true"


def _explode(chain: _Chain, *, step: Explode, reference: Reference, number: int, nulls: tuple[str, ...]) -> None:
    """One row per element; a row without any keeps one row, which `_dropped` accounts for unless the step is outer."""
    value = reference.json_sql()
    if step.object:
        entry = "replace(replace(k, '~', '~0'), '/', '~1')"
        member = f"json_object('key', k, 'value', json_extract({value}, '/' || {entry}))"
        elements, kind, noun = f"list_transform(json_keys({value}), lambda k: {member})", "OBJECT", "an object"
    else:
        elements, kind, noun = f"json_extract({value}, '$[*]')", "ARRAY", "a list"
    is_other = f"({null_if(reference.text_sql(), nulls)} is not null and coalesce(json_type({value}), '') <> '{kind}')"
    empty = "cast([] as json[])"
    listed = f"case when _dropped is null then coalesce({elements}, {empty}) else {empty} end"
    chain.add(f"elements_{number}", [f"{listed} as _elements", f"{is_other} as _is_other"])
    needs_row = "len(_elements) = 0"
    if step.outer and step.where:
        needs_row += f" or len(list_filter(_elements, lambda e: {_element_condition('e', step, nulls)})) = 0"
    positions = "range(1, len(_elements) + 1)"
    padded, numbered = (
        f"unnest(case when {needs_row} then list_append({values}, null) else {values} end)"
        for values in ("_elements", positions)
    )
    chain.add(
        f"unnested_{number}",
        [f"{padded} as x_{step.alias}", f"{numbered} as p_{step.alias}"],
        without="_elements",
    )
    cases = [f"when p_{step.alias} is null and _is_other then {_rule(step, f'is not {noun}')}"]
    if not step.outer:
        cases.append(f"when p_{step.alias} is null then {_rule(step, 'has nothing in it')}")
    if step.where:
        words = " and ".join(condition.describe(path) for path, condition in step.where.items())
        is_wanted = _element_condition(f"x_{step.alias}", step, nulls)
        cases.append(
            f"when p_{step.alias} is not null and not ({is_wanted}) then {_rule(step, f'not an element where {words}')}"
        )
    dropped = f"case when _dropped is not null then _dropped {' '.join(cases)} end as _dropped"
    chain.add(f"exploded_{number}", [dropped], without="_dropped, _is_other")


def _rule(step: Explode, words: str) -> str:
    return quote_text(f"[[explode]] {step.path}: {words}")


def _filter(chain: _Chain, *, mapping: Mapping, scope: Scope, source: SourceFile) -> None:
    cases = []
    for path, condition in mapping.where.items():
        test = _condition(_resolve(scope, path, source).text_sql(), condition, mapping.source.null_values)
        cases.append(f"when not ({test}) then {quote_text(f'[where] not: {condition.describe(path)}')}")
    chain.add(
        "filtered",
        ["case when _dropped is not null then _dropped " + " ".join(cases) + " end as _dropped"],
        without="_dropped",
    )


def _columns(chain: _Chain, *, mapping: Mapping, scope: Scope, source: SourceFile) -> tuple[str, ...]:
    """Add the stages of every mapped column; returns the optional columns that the file does not have."""
    allowed = mapped_columns(FEEDS[mapping.target], is_synthetic=mapping.synthetic is not None)
    stages: dict[str, list[str]] = {stage: [] for stage in STAGES}
    absent, judged = [], []
    extraction = Extraction()
    for name, spec in mapping.columns.items():
        column = allowed[name]
        try:
            added = compile_column(column, spec, scope=scope, extraction=extraction, nulls=mapping.source.null_values)
        except UnknownHeaderError as err:
            if column.required:
                message = f"{source.path} {err}, but columns.{name} needs it: correct the path or the file."
                raise MappingError(message) from err
            absent.append(name)
            stages["converted"].append(f"cast(null as {SQL_TYPES[column.type]}) as v_{name}")
            continue
        judged.append(name)
        for stage, expressions in zip(STAGES, added, strict=True):
            stages[stage] += expressions
    chain.add("extracted", extraction.columns())
    for stage in STAGES:
        chain.add(stage, stages[stage])
    any_bad = " or ".join(f"e_{name} is not null" for name in judged)
    listed = ", ".join(f"{{'column': {quote_text(name)}, 'reason': e_{name}, 'value': q_{name}}}" for name in judged)
    reasons = f"list_filter([{listed}], lambda r: r.reason is not null)"
    chain.add("reasoned", [f"case when _dropped is null and ({any_bad}) then {reasons} end as _reasons"])
    return tuple(absent)


def _final(mapping: Mapping, *, source: SourceFile, absent: tuple[str, ...]) -> list[str]:
    if source.headers is None:
        record = "_record"
    else:
        pairs = ", ".join(f"{quote_text(name)}, h{index}" for index, name in enumerate(source.headers))
        record = f"json_object({pairs})"
    place = "'row ' || _row" + "".join(
        f" || coalesce(', {step.alias} ' || p_{step.alias}, '')" for step in mapping.explode
    )
    columns = [
        "_row",
        f"case when _reasons is not null then {place} end as _place",
        "_dropped",
        "_reasons",
        f"case when _reasons is not null then {record} end as _record",
    ]
    for column in output_columns(mapping.target):
        is_made = column.name not in mapping.columns
        value = f"cast(null as {SQL_TYPES[column.type]})" if is_made else f"v_{column.name}"
        columns.append(f"{value} as {column.name}")
    for name in zoned_columns(mapping):
        is_local = None if name in absent else is_local_sql(mapping.columns[name], f"m_{name}")
        columns.append(f"{is_local or 'false'} as _local_{name}")
    return columns
