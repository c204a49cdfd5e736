"""Drafted and extended configuration: valid, never overwriting, keeping every character of a user's file."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from qa_pipeline.config import load_config
from qa_pipeline.config_plan import ConfigPlan, Seen
from qa_pipeline.countries import COUNTRIES, country_of_market
from qa_pipeline.drafting import plan_config, write_plan
from qa_pipeline.errors import ConfigError
from qa_pipeline.quality_config import QualityConfig
from qa_pipeline.settings import Home
from qa_pipeline.taxonomy_draft import is_violating_guess
from qa_pipeline.toml_text import quote, with_elements, with_tables

MARKETS = '# mine\n[markets.DE]   # the first\ntime_zone = "Europe/Berlin"'
TAXONOMY = """\
version = "7" # of March

[queues.hate]
name = "Hate"
labels = [
    { code = "no", is_violating = false }, # a ] in a comment
    { code = "yes", is_violating = true, severity_weight = 3.0 } # the last, without a comma
]

[[queues.spam.labels]]
code = "ham"
is_violating = false

[[queues.spam.labels]]
code = "spam"
is_violating = true
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def _seen(labels: dict[str, dict[str, int]], *markets: str) -> Seen:
    return Seen(
        markets=dict.fromkeys(markets, 5),
        queues={queue: sum(counts.values()) for queue, counts in labels.items()},
        labels=labels,
        has_labels=True,
    )


def _configure(home: Home, *, markets: str = MARKETS, taxonomy: str = TAXONOMY) -> None:
    (home.config / "markets.toml").write_text(markets, encoding="utf-8")
    (home.config / "taxonomy.toml").write_text(taxonomy, encoding="utf-8")


def _apply(home: Home, seen: Seen, *, extend: bool = False) -> ConfigPlan:
    plan = plan_config(home, seen=seen, extend=extend)
    write_plan(home, plan)
    return plan


def test_a_first_draft_is_a_valid_config_and_tells_its_guesses(home: Home) -> None:
    """Stops a draft that the pipeline refuses, or a guess (zone, violating) that nobody is told to check."""
    plan = _apply(home, _seen({"hate": {"no_hate": 3, "hate": 2}, "multi": {"a|b": 1, "ok": 1}}, "DE", "US", "X1"))
    config = load_config(home)
    assert {code: market.time_zone for code, market in config.markets.markets.items()} == {
        "DE": "Europe/Berlin",
        "US": "America/New_York",
        "X1": "UTC",
    }
    hate = config.taxonomy.queues["hate"]
    assert [(label.code, label.is_violating) for label in hate.labels] == [("no_hate", False), ("hate", True)]
    multi = config.taxonomy.queues["multi"]
    assert ([label.code for label in multi.labels], multi.is_multi_select) == (["ok", "a", "b"], True)
    assert config.target("agreement", market="DE") == 0.667
    assert config.quality == QualityConfig()
    notes = "\n".join(plan.notes)
    assert "X1 (UTC, because it is no country code)" in notes
    assert "a guess from their names (a, b, hate): check is_violating" in notes


def test_a_drafted_quality_toml_names_every_setting_and_changes_none(home: Home) -> None:
    """Stops a draft that forgets a setting, states another value than holds without it, or replaces a user's file."""
    _apply(home, _seen({"q": {"a": 1, "ok": 1}}, "DE"))
    path = home.config / "quality.toml"
    stated = tomllib.loads(path.read_text(encoding="utf-8"))
    usual = QualityConfig().model_dump(mode="json", exclude_none=True)
    usual["acceptance"].pop("queue_aql_percent")
    assert stated == usual
    # what has no value of its own is there as a comment that is valid once it is one no more
    every = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {section: set(values) for section, values in every.items()} == {
        section: set(values) for section, values in QualityConfig().model_dump().items()
    }
    QualityConfig.model_validate(every)
    path.write_text("[baseline]\ndays = 20\n", encoding="utf-8")
    for name in ("markets", "taxonomy"):
        (home.config / f"{name}.toml").unlink()
    assert "quality.toml" not in _apply(home, _seen({"q": {"a": 1, "ok": 1}}, "DE")).files


def test_a_queue_with_one_label_gets_a_second_one_and_says_so(home: Home) -> None:
    """Stops a draft with one label, which the config refuses; and a second label that is made up in silence."""
    plan = _apply(home, _seen({"q": {"spam": 1}, "r": {"safe": 1}}, "DE"))
    queues = load_config(home).taxonomy.queues
    assert [label.code for label in queues["q"].labels] == ["spam", "no_violation"]
    assert [label.code for label in queues["r"].labels] == ["safe", "violation"]
    assert sum("made up" in note for note in plan.notes) == 2


def test_an_existing_config_is_not_touched(home: Home) -> None:
    """Stops an import from changing what somebody decided; what is unknown is told with its number of rows."""
    _configure(home)
    plan = _apply(home, _seen({"hate": {"yes": 9, "maybe": 4, "yes|maybe": 2}, "new": {"a": 3}}, "DE", "FR"))
    assert plan.files == {}
    assert (home.config / "markets.toml").read_text() == MARKETS
    assert (home.config / "taxonomy.toml").read_text() == TAXONOMY
    assert plan.time_zones == {"DE": "Europe/Berlin"}
    notes = "\n".join(plan.notes)
    assert "Unknown market FR (5 rows)" in notes
    assert "Unknown label of queue hate: maybe (6 rows)" in notes
    assert "Unknown queue new (3 rows)" in notes


def test_extending_appends_and_keeps_every_character(home: Home) -> None:
    """Stops --extend-config from rewriting a file: comments and order must survive, in both ways to write labels."""
    _configure(home)
    seen = _seen({"hate": {"yes": 1, "maybe": 1}, "spam": {"ham": 1, "scam": 1}, "new": {"a": 1, "ok": 1}}, "DE", "FR")
    plan = _apply(home, seen, extend=True)
    markets, taxonomy = ((home.config / f"{name}.toml").read_text() for name in ("markets", "taxonomy"))
    assert markets.startswith(MARKETS + "\n")
    start, end = TAXONOMY.split("\n]\n", maxsplit=1)
    assert taxonomy.startswith(start)
    assert end in taxonomy
    config = load_config(home)
    assert config.markets.markets["FR"].time_zone == "Europe/Paris"
    assert {code: [label.code for label in queue.labels] for code, queue in config.taxonomy.queues.items()} == {
        "hate": ["no", "yes", "maybe"],
        "spam": ["ham", "spam", "scam"],
        "new": ["ok", "a"],
    }
    assert config.taxonomy.queues["hate"].labels[1].severity_weight == 3.0
    assert plan.time_zones["FR"] == "Europe/Paris"
    path, notes = home.config / "taxonomy.toml", "\n".join(plan.notes)
    assert f"Extended {path}: labels maybe of queue hate, at the end of its list. Which labels are violating" in notes
    assert (
        f"Extended {path}: queues new (labels ok, a). Which labels are violating is a guess from their names (a)"
        in notes
    )
    again = _apply(home, seen, extend=True)
    assert again.files == {}


def test_an_added_queue_is_told_even_when_it_is_the_only_change(home: Home) -> None:
    """Stops --extend-config from adding a queue in silence, and a guess that cannot be right from being passed over."""
    _configure(home)
    told = _apply(home, _seen({"new": {"bad": 2, "fine": 1}, "types": {"a": 1, "b": 1}}, "DE"), extend=True).notes
    guess = "Which labels are violating is a guess from their names (a, b, bad): check is_violating."
    assert told == [
        f"Extended {home.config / 'taxonomy.toml'}: queues new (labels fine, bad), types (labels a, b). {guess}",
        "The guess is unsure for queue types: all of its labels are taken as violating.",
    ]
    labels = load_config(home).taxonomy.queues["new"].labels
    assert [(label.code, label.is_violating) for label in labels] == [("fine", False), ("bad", True)]


def test_a_form_that_cannot_be_extended_is_told(home: Home) -> None:
    """Stops a file whose form leaves no place to add to from being broken."""
    _configure(home, markets='markets = { DE = { time_zone = "Europe/Berlin" } }\n')
    with pytest.raises(ConfigError, match=r"markets\.toml cannot be extended by the markets FR"):
        plan_config(home, seen=_seen({}, "FR"), extend=True)


def test_an_invalid_config_is_reported_not_mended(home: Home) -> None:
    """Stops an import from landing rows under a config that the pipeline will refuse."""
    _configure(home, taxonomy=TAXONOMY.replace("is_violating = false", "violating = false", 1))
    with pytest.raises(ConfigError, match=r"taxonomy\.toml: queues\.hate\.labels, the 1st: key violating"):
        plan_config(home, seen=_seen({}, "DE"), extend=False)
    (home.config / "markets.toml").unlink()
    with pytest.raises(ConfigError, match=r"is not valid: queues\.hate\.labels, the 1st: key violating"):
        plan_config(home, seen=_seen({}, "DE"), extend=False)


def test_nothing_is_drafted_from_feeds_without_labels_or_rows(home: Home) -> None:
    """Stops an import of items or of gold without markets from writing half a config that nobody may mend."""
    items = Seen(markets={"DE": 1}, queues={"q": 1}, labels={}, has_labels=False)
    plan = _apply(home, items)
    assert (plan.files, plan.time_zones) == ({}, {"DE": "Europe/Berlin"})
    assert "carries no labels" in plan.notes[0]
    assert _apply(home, _seen({})).files == {}
    assert set(_apply(home, _seen({"q": {"a": 1, "ok": 1}})).files) == {
        "taxonomy.toml",
        "targets.toml",
        "quality.toml",
    }
    assert set(_apply(home, _seen({"q": {"a": 1}}, "DE")).files) == {"markets.toml"}
    assert set(load_config(home).markets.markets) == {"DE"}


def test_codes_that_cannot_be_codes_are_told(home: Home) -> None:
    """Stops a draft with codes that break patterns, file names or links."""
    plan = _apply(home, _seen({"two words": {"a": 1}, "q": {"b c": 1, "ALL": 1, "ok": 1, "x": 1}}, "DE", "a/b"))
    config = load_config(home)
    assert set(config.taxonomy.queues) == {"q"}
    assert [label.code for label in config.taxonomy.queues["q"].labels] == ["ok", "x"]
    notes = "\n".join(plan.notes)
    for code in ("'two words'", "'b c'", "'ALL'", "'a/b'"):
        assert code in notes


def test_free_text_is_no_taxonomy(home: Home) -> None:
    """Stops a mis-mapped label column (post texts, say) from becoming a taxonomy of thousands of labels."""
    many = _seen({"q": {f"t{n}": 1 for n in range(501)}}, "DE")
    with pytest.raises(ConfigError, match="queue q has 501 different labels, such as 't0': that is no taxonomy"):
        plan_config(home, seen=many, extend=False)
    _configure(home, taxonomy=TAXONOMY.replace("queues.hate", "queues.q"))
    notes = plan_config(home, seen=many, extend=False).notes
    assert notes[-1] == "… and 496 more like this."


def test_guesses() -> None:
    """Stops a harmless label from counting as a violation in the first charts."""
    harmless = (
        "none",
        "No_Violation",
        "not_hate",
        "NOT-SPAM",
        "ok",
        "safe",
        "benign",
        "fine",
        "dont_know",
        "non_violating",
        "0",
    )
    assert not any(is_violating_guess(label) for label in harmless)
    assert all(is_violating_guess(label) for label in ("hate", "spam", "nudity", "notable", "1", "nonsense"))


def test_toml_text_survives_odd_names() -> None:
    """Stops quotes, dots and control characters in a code from breaking the file."""
    for odd in ('a"b', "a.b", "ü", "\x7f", "back\\slash", "[x]"):
        assert tomllib.loads(f"k = {quote(odd)}") == {"k": odd}
        text = with_tables("# head", ("markets",), {odd: {"time_zone": "UTC"}})
        assert text is not None
        assert tomllib.loads(text) == {"markets": {odd: {"time_zone": "UTC"}}}
    assert with_elements("[q]\nl = [] # ]", ("q", "l"), [{"code": "a"}]) == '[q]\nl = [{ code = "a" }] # ]'
    assert with_elements("q = { l = 1 }", ("q", "m"), [{"code": "a"}]) is None


def test_every_country_has_a_zone_of_its_own() -> None:
    """Stops a missing country, a zone of another country, or one that DuckDB or Python does not know.

    Source: iso3166.tab and zone.tab of the IANA time zone database.
    """
    tables = files("tzdata").joinpath("zoneinfo")
    codes = {
        line.split("\t")[0] for line in tables.joinpath("iso3166.tab").read_text("utf-8").splitlines() if line[0] != "#"
    }
    assert set(COUNTRIES) == codes
    assert len(codes) == 249
    of_country: dict[str, set[str]] = {}
    for line in tables.joinpath("zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            of_country.setdefault(code, set()).add(zone)
    with duckdb.connect() as con:
        known = {row[0] for row in con.execute("select name from pg_timezone_names()").fetchall()}
    for code, (name, zone) in COUNTRIES.items():
        assert name
        assert zone in known
        assert ZoneInfo(zone).key == zone
        if code not in ("BV", "HM"):  # uninhabited: the database has no zone for them
            assert zone in of_country[code]


def test_zones_of_countries_with_several() -> None:
    """Stops the first zone of an alphabetical list (US: Adak) from being taken. Source: largest city or capital."""
    expected = {
        "US": "America/New_York", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto",
        "MX": "America/Mexico_City", "RU": "Europe/Moscow", "ID": "Asia/Jakarta", "CN": "Asia/Shanghai",
        "KZ": "Asia/Almaty", "IN": "Asia/Kolkata", "ES": "Europe/Madrid", "PT": "Europe/Lisbon",
        "NZ": "Pacific/Auckland", "CL": "America/Santiago", "AR": "America/Argentina/Buenos_Aires",
        "CD": "Africa/Kinshasa", "MN": "Asia/Ulaanbaatar", "EC": "America/Guayaquil", "UA": "Europe/Kyiv",
        "MY": "Asia/Kuala_Lumpur", "UZ": "Asia/Tashkent", "DE": "Europe/Berlin", "CY": "Asia/Nicosia",
        "FM": "Pacific/Pohnpei", "PG": "Pacific/Port_Moresby", "GL": "America/Nuuk", "KI": "Pacific/Tarawa",
    }  # fmt: skip
    assert {code: COUNTRIES[code][1] for code in expected} == expected


def test_forms_of_a_market_code() -> None:
    """Stops locales and lower case from falling back to UTC, and language codes from being taken for countries."""
    assert country_of_market("us") == ("United States", "America/New_York", True)
    assert country_of_market("UK") == ("United Kingdom", "Europe/London", True)
    assert country_of_market("pt-BR") == country_of_market("pt_BR") == ("Brazil", "America/Sao_Paulo", True)
    assert country_of_market("EMEA") == ("EMEA", "UTC", False)
