"""The language of mapping files: what it refuses, and that it names the key when it does."""

from pathlib import Path

import pytest

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.mapping import load_mapping, relative_keys, shipped_mappings
from qa_pipeline.importing.references import Scope, UnknownHeaderError, parse_keys, parse_template, pointer
from qa_pipeline_tests.import_support import MAPPINGS, mapping_text

JSON = 'format = "json"'
JSON_COLUMNS = {"item_id": '"$.item"', "label": '"$.label"', "submitted_at": '"$.at"'}


def _load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    load_mapping(path)


def test_a_full_mapping_loads(tmp_path: Path) -> None:
    """Stops the helper of the refusals below from being refused for a reason of its own."""
    _load(tmp_path, mapping_text())
    _load(tmp_path, mapping_text(source=JSON, columns=JSON_COLUMNS))


@pytest.mark.parametrize("name", sorted(shipped_mappings()))
def test_shipped_mappings_load_and_are_named_without_a_path(name: str) -> None:
    """Stops a shipped mapping that no longer fits the contract."""
    assert load_mapping(name).target in FEEDS


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.toml")), ids=lambda path: path.stem)
def test_example_mappings_load(path: Path) -> None:
    """Stops an example that no longer fits the language."""
    assert load_mapping(path).version == 1


COLUMN_CASES = [
    ({"label": None}, "requires label: map"),
    ({"labell": '"label"'}, "columns.labell: feed labels has no such column (did you mean label?)."),
    ({"label": '{ pth = "label" }'}, "key columns.label.pth: is not a key"),
    ({"label": '{ path = "label", lower = "yes" }'}, 'lower: must be true or false, without quotes (it is "yes").'),
    ({"handle_seconds": '{ path = "s", scale = "2" }'}, 'scale: must be a number, without quotes (it is "2").'),
    (
        {"submitted_at": '{ path = "at", format = "%Z", tz_abbreviations = { PDT = "-7" } }'},
        "columns.submitted_at.tz_abbreviations.PDT: '-7' is not an offset from UTC, such as '-07:00'.",
    ),
    ({"label": "{ lower = true }"}, "columns.label: says nothing about where"),
    ({"label": '{ template = "{a}", const = "b" }'}, "columns.label: template stands alone"),
    ({"label": '{ template = "fixed" }'}, "columns.label.template"),
    ({"label": '{ template = "a-{" }'}, "lone or empty brace"),
    ({"label": '{ path = "label", map_default = "keep" }'}, "columns.label: map_default goes with map"),
    ({"label": '{ path = "label", map = { a = "" } }'}, "columns.label.map.a"),
    ({"label": '{ path = "label", map_default = "drop", map = { a = "b" } }'}, "columns.label.map_default"),
    ({"label": '{ path = "label", regex = "(a" }'}, "columns.label: regex '(a' is not"),
    ({"label": '{ path = "label", regex = "(?=a)" }'}, "columns.label: regex '(?=a)' is not"),
    ({"label": '{ path = "label", regex = "(a)(b)" }'}, "has 2 groups"),
    ({"label": '{ path = "label", scale = 2 }'}, "columns.label: scale multiplies a number"),
    ({"label": '{ path = "label", timezone = "UTC" }'}, "columns.label: timezone goes with a time"),
    ({"handle_seconds": '{ path = "s", join = "|" }'}, "columns.handle_seconds: join makes one text"),
    ({"stage": '{ const = "prod" }'}, "columns.stage: 'prod' is not one of production"),
    ({"stage": '{ path = "s", map = { a = "prod" } }'}, "columns.stage: 'prod' is not one of production"),
    ({"is_blind": '{ path = "b", map = { a = "maybe" } }'}, "columns.is_blind: 'maybe' is not one of true, false"),
    ({"submitted_at": '{ path = "at", timezone = "Mars/Olympus" }'}, "columns.submitted_at: timezone 'Mars/Olympus'"),
    (
        {"submitted_at": '{ path = "at", format = "%d/%m/%Y %H:%M" }'},
        "columns.submitted_at: format '%d/%m/%Y %H:%M' reads",
    ),
    (
        {"submitted_at": '{ path = "at", format = "%H %Q" }'},
        "columns.submitted_at: format '%H %Q' is not a time format",
    ),
    ({"submitted_at": '{ path = "at", format = "epoch" }'}, "columns.submitted_at: format 'epoch' is none of"),
    ({"submitted_at": '{ path = "at", format = "%H %Z" }'}, "columns.submitted_at: %Z is ambiguous"),
    (
        {"submitted_at": '{ path = "at", tz_abbreviations = { PST = "-8" } }'},
        "columns.submitted_at.tz_abbreviations.PST",
    ),
    ({"business_date": '"at"'}, "columns.business_date: feed labels takes its business date from submitted_at"),
]


@pytest.mark.parametrize(("columns", "expected"), COLUMN_CASES, ids=[str(case[0]) for case in COLUMN_CASES])
def test_a_wrong_column_is_refused_by_name(tmp_path: Path, columns: dict[str, str | None], expected: str) -> None:
    """Stops a mistake in [columns] from being found only in the data, or never."""
    with pytest.raises(MappingError) as caught:
        _load(tmp_path, mapping_text(columns=columns))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'm.toml'}: ")


EXTRA_CASES = [
    ("[[explode]]\npath = '$.a'", "key explode.0.as: is missing"),
    ("[[explode]]\npath = '$.a'\nas = 'a b'", "key explode.0.as: 'a b' is not a name: a letter, then letters"),
    ("[[explode]]\npath = '$.a'\nas = 'a'\nouter = 1", "key explode.0.outer: must be true or false, without quotes"),
    ("[[explode]]\npath = 'ann.a'\nas = 'ann'", "explode.0.path: 'ann.a' starts with none of $"),
    ("[[explode]]\npath = '$.a'\nas = 'x'\n[[explode]]\npath = '$.b'\nas = 'x'", "explode.1.as: 'x' is taken"),
    ("[[explode]]\npath = '$.a[*]'\nas = 'x'", "[*] is not part of a path"),
    ("[[explode]]\npath = '$.a'\nas = 'x'\nwhere = { 'a..b' = 1 }", "key explode.0.where"),
    ("[where]\nann.was_cancelled = false", "quote a path that has dots"),
    ("[where]\n'nowhere.x' = 1", "where.nowhere.x: 'nowhere.x' starts with none of $"),
    ("[where]\n'$.x' = []", "key where.$.x"),
    ("[wher]\n'$.x' = 1", "key wher: is not a key"),
    ("[synthetic]\nstart = 2026-01-01", "columns.submitted_at: [synthetic] makes this column"),
    ("[synthetic]\nstart = 2026-02-30", "is not valid TOML"),
    ("[synthetic]\nstart = '2026-01-01'\ndays = 0", "key synthetic.days: must be 1 or more (it is 0)"),
    ("[synthetic]\nstart = 'soon'", 'key synthetic.start: must be a date, such as 2026-01-31 (it is "soon")'),
]


@pytest.mark.parametrize(("extra", "expected"), EXTRA_CASES, ids=[case[0] for case in EXTRA_CASES])
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, extra: str, expected: str) -> None:
    """Stops a mistake in [[explode]], [where] or [synthetic] from being found only in the data, or never."""
    with pytest.raises(MappingError) as caught:
        _load(tmp_path, mapping_text(source=JSON, columns=JSON_COLUMNS, extra=extra))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('format = "xml"', "key source.format"),
        ('format = "csv"\nencoding = "utf-9"', "key source.encoding: 'utf-9' is not an encoding"),
        ('format = "csv"\ndelimiter = ";;"', "key source.delimiter"),
        ('format = "tsv"\ndelimiter = ";"', "key source: delimiter goes with format csv only"),
        ('format = "csv"\nquote = "x"', "key source.quote: is not a key"),
    ],
)
def test_a_wrong_source_is_refused_by_name(tmp_path: Path, source: str, expected: str) -> None:
    """Stops a mistake in [source] from being ignored."""
    with pytest.raises(MappingError) as caught:
        _load(tmp_path, mapping_text(source=source))
    assert expected in str(caught.value)


def test_other_feeds_and_versions_are_refused(tmp_path: Path) -> None:
    """Stops a mapping of a later language, or for no feed, from being read as one of today's."""
    for old, new, expected in (
        ("version = 1", "version = 2", "key version"),
        ('target = "labels"', 'target = "lables"', "key target: 'lables' is not a feed"),
    ):
        with pytest.raises(MappingError) as caught:
            _load(tmp_path, mapping_text().replace(old, new))
        assert expected in str(caught.value)


def test_a_feed_without_event_time_needs_a_date(tmp_path: Path) -> None:
    """Stops gold, roster and timesheets from landing in a folder nobody chose."""
    text = 'version = 1\nname = "t"\ntarget = "timesheets"\n[source]\nformat = "csv"\n[columns]\nannotator_id = "a"\n'
    text += 'paid_minutes = "p"\nproductive_minutes = "q"\n'
    with pytest.raises(MappingError, match=r"requires business_date: map each of them, or give \[synthetic\]"):
        _load(tmp_path, text)
    _load(tmp_path, text + 'business_date = "day"\n')
    _load(tmp_path, text + "[synthetic]\nstart = 2026-01-01\n")
    with pytest.raises(MappingError, match=r"synthetic\.days: rows of timesheets have no time"):
        _load(tmp_path, text + "[synthetic]\nstart = 2026-01-01\ndays = 2\n")


def test_a_mapping_that_is_not_there_names_the_shipped_ones() -> None:
    """Stops a misspelt name from ending in a stack trace."""
    with pytest.raises(MappingError, match="label_studio_labels"):
        load_mapping("label_studio")


def test_keys_of_a_path() -> None:
    """Stops keys with dots, slashes, quotes or tildes from being taken apart."""
    assert parse_keys('.a."b.c"[0].d') == ("a", "b.c", "0", "d")
    assert parse_keys("""['it\\'s']["say \\"hi\\""].x-y""") == ("it's", 'say "hi"', "x-y")
    assert pointer(("a/b", "c~d", "0")) == "/a~1b/c~0d/0"
    assert relative_keys("$") == ()
    assert relative_keys("a.b") == relative_keys("$.a.b") == ("a", "b")
    for wrong in (".", "..a", ".a b[", "[x]", '."open'):
        with pytest.raises(ValueError, match="cannot be read"):
            parse_keys(wrong)


def test_templates() -> None:
    """Stops braces, and references with colons, from being read as format specifications."""
    assert parse_template("{{x}}-{A:b}-") == [
        (False, "{"), (False, "x"), (False, "}"), (False, "-"), (True, "A:b"), (False, "-"),
    ]  # fmt: skip


def test_headers_are_taken_literally_before_they_are_taken_apart() -> None:
    """Stops `a.b` from being read as key b of column a where a column a.b exists; the longest header wins."""
    scope = Scope(aliases=("x",), headers=("a", "a.b", "x y"), file_name="f.csv")
    assert scope.resolve("a.b").column == "h1"
    assert (scope.resolve("a.c").column, scope.resolve("a.c").keys) == ("h0", ("c",))
    assert (scope.resolve("a.b.c").column, scope.resolve("a.b.c").keys) == ("h1", ("c",))
    assert scope.resolve("$.x y").column == "h2"
    assert scope.resolve("x.k").column == "x_x"
    with pytest.raises(UnknownHeaderError, match=r"no column 'b' \(its columns: a, a\.b, x y\)"):
        scope.resolve("b")
