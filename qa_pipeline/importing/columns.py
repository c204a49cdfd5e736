"""One mapped column as the SQL of its stages: pick, shape, place in the map, convert, judge.

A stage's columns are named by a letter and the contract's column: r_ raw text (or list), k_ is a list or object where
one value is needed, s_ shaped, m_ mapped, t_ one text, v_ typed value, q_ raw text to show, e_ what is wrong.
"""

import re
from collections.abc import Callable

from qa_pipeline.contracts import Column
from qa_pipeline.importing.conversions import convert
from qa_pipeline.importing.mapping import ColumnSpec
from qa_pipeline.importing.references import Extraction, Reference, Scope, UnknownHeaderError, null_if, parse_template
from qa_pipeline.landing import quote_text

STAGES = ("picked", "shaped", "placed", "converted", "judged")


def compile_column(
    column: Column, spec: ColumnSpec, *, scope: Scope, extraction: Extraction, nulls: tuple[str, ...]
) -> tuple[list[str], ...]:
    """Expressions (each `… as name`) that the column adds to each of STAGES; `extraction` goes before them.

    Raises UnknownHeaderError when a table-like source has none of the columns that the spec refers to.
    """
    name = column.name
    references = _references(spec, scope)
    is_list = spec.join is not None
    if is_list:
        raw, container = _list(references, spec, extraction, nulls)
    elif spec.template is not None:
        raw, container = _template(spec.template, scope, extraction, nulls), "false"
    else:
        raw, container = _scalar(references, spec, extraction, nulls)
    shown = f"array_to_string(r_{name}, ', ')" if is_list else f"r_{name}"
    picked = [f"{raw} as r_{name}", f"{container} as k_{name}"]
    shaped = [f"{_each(f'r_{name}', lambda x: _shape(spec, x), is_list=is_list)} as s_{name}"]
    mapped = _each(f"s_{name}", lambda x: _place(spec, x), is_list=is_list)
    text = f"m_{name}"
    placed = [f"{mapped} as m_{name}"]
    if spec.join is not None:
        text = f"nullif(array_to_string(list_sort(list_distinct(m_{name})), {quote_text(spec.join)}), '')"
    conversion = convert(column, spec, text)
    converted = [f"{conversion.value_sql} as v_{name}", f"{shown} as q_{name}"]
    judged = [f"{_judge(column, spec, conversion.reason_sql)} as e_{name}"]
    return picked, shaped, placed, converted, judged


def _references(spec: ColumnSpec, scope: Scope) -> list[Reference]:
    found: list[Reference] = []
    unknown: UnknownHeaderError | None = None
    for text in spec.references:
        try:
            found.append(scope.resolve(text))
        except UnknownHeaderError as err:
            unknown = unknown or err
    if unknown is not None and not found and spec.const is None:
        raise unknown
    return found


def _template(template: str, scope: Scope, extraction: Extraction, nulls: tuple[str, ...]) -> str:
    """Text of a template; NULL when one of its references is absent."""
    parts = [
        null_if(extraction.text(scope.resolve(text)), nulls) if is_reference else quote_text(text)
        for is_reference, text in parse_template(template)
    ]
    return "(" + " || ".join(parts) + ")"


def _scalar(
    references: list[Reference], spec: ColumnSpec, extraction: Extraction, nulls: tuple[str, ...]
) -> tuple[str, str]:
    """Raw text of a column with one value, and whether a list or an object stands where it should be."""
    raws = [extraction.text(reference) for reference in references]
    texts = [null_if(raw, (*nulls, *spec.null_if)) for raw in raws]
    fallback = [] if spec.const is None else [quote_text(spec.const)]
    tests = [reference.container_sql(raw) for reference, raw in zip(references, raws, strict=True)]
    if all(test == "false" for test in tests):
        is_container = "false"
    else:
        cases = (f"when {text} is not null then {test}" for text, test in zip(texts, tests, strict=True))
        is_container = f"case {' '.join(cases)} else false end"
    return "coalesce(" + ", ".join([*texts, *fallback]) + ")", is_container


def _list(
    references: list[Reference], spec: ColumnSpec, extraction: Extraction, nulls: tuple[str, ...]
) -> tuple[str, str]:
    """Raw texts of a column that joins a list, and whether something else than texts is in it.

    A single value is a list of one; absent values are left out.
    """
    kept = f"lambda x: {null_if('x', (*nulls, *spec.null_if))} is not null"
    lists, containers = [], []
    for reference in references:
        raw, value = extraction.text(reference), reference.json_sql()
        text = null_if(raw, nulls)
        is_list = f"case when left({text}, 1) = '[' then json_type({value}) = 'ARRAY' else false end"
        elements = f"json_extract({value}, '$[*]')"
        texts = f"list_transform({elements}, lambda e: json_extract_string(e, ''))"
        lists.append(
            f"case when {text} is null then null when {is_list} then list_filter({texts}, {kept}) "
            f"else list_filter([{text}], {kept}) end"
        )
        nested = f"len(list_filter({elements}, lambda e: json_type(e) in ('ARRAY', 'OBJECT'))) > 0"
        containers.append(
            f"when {text} is not null then case when {is_list} then {nested} else {reference.container_sql(raw)} end"
        )
    fallback = [] if spec.const is None else [f"[{quote_text(spec.const)}]"]
    return "coalesce(" + ", ".join([*lists, *fallback]) + ")", f"case {' '.join(containers)} else false end"


def _each(column: str, expression: Callable[[str], str], *, is_list: bool) -> str:
    if expression("x") == "x":
        return column
    return f"list_transform({column}, lambda x: {expression('x')})" if is_list else expression(column)


def _shape(spec: ColumnSpec, text: str) -> str:
    if spec.urldecode:
        text = f"url_decode({text})"
    if spec.regex is not None:
        group = re.compile(spec.regex).groups
        text = f"nullif(regexp_extract({text}, {quote_text(spec.regex)}, {group}), '')"
    return f"lower({text})" if spec.lower else text


def _place(spec: ColumnSpec, text: str) -> str:
    if spec.map is None:
        return text
    cases = " ".join(f"when {quote_text(key)} then {quote_text(value)}" for key, value in spec.map.items())
    return f"case {text} {cases} {f'else {text} ' if spec.map_default == 'keep' else ''}end"


def _judge(column: Column, spec: ColumnSpec, conversion_reason: str) -> str:
    """Text that says what is wrong with the column's value in this row, NULL when nothing is."""
    name = column.name
    lost = _lost_element if spec.join is not None else _lost
    cases = [f"when k_{name} then 'is a list or an object where one value is needed'"]
    if spec.regex is not None:
        cases.append(f"when {lost(f'r_{name}', f's_{name}')} then {quote_text(f'does not match {spec.regex}')}")
    if spec.map is not None and spec.map_default == "error":
        cases.append(f"when {lost(f's_{name}', f'm_{name}')} then 'has no place in map'")
    if spec.join is not None:
        holds = f"lambda x: contains(x, {quote_text(spec.join)})"
        reason = quote_text(f"has an element with {spec.join} in it, which joins elements")
        cases.append(f"when len(list_filter(m_{name}, {holds})) > 0 then {reason}")
    elif column.type != "string":
        cases.append(f"when m_{name} is not null and v_{name} is null then {conversion_reason}")
    if column.required:
        cases.append(f"when v_{name} is null then 'is missing'")
    if column.values:
        allowed = ", ".join(quote_text(value) for value in column.values)
        reason = quote_text(f"is not one of {', '.join(column.values)}")
        cases.append(f"when v_{name} not in ({allowed}) then {reason}")
    return "case " + " ".join(cases) + " end"


def _lost(before: str, after: str) -> str:
    return f"{before} is not null and {after} is null"


def _lost_element(before: str, after: str) -> str:
    return f"len(list_filter({after}, lambda x: x is null)) > len(list_filter({before}, lambda x: x is null))"
