"""Configuration and home: what is wrong is said by file, key and reason."""

from pathlib import Path

import pytest

from qa_pipeline.config import Config, Metric, load_config
from qa_pipeline.errors import ConfigError, HomeError
from qa_pipeline.settings import HOME_VARIABLE, Home

TAXONOMY = """
version = "1"
[queues.hate]
labels = [{ code = "none", is_violating = false }, { code = "slur", is_violating = true }]
"""
MARKETS = '[markets.BR]\ntime_zone = "America/Sao_Paulo"\n'
TARGET = '[[targets]]\nmetric = "{}"\nvalue = {}\n'


def _home(tmp_path: Path, **files: str) -> Home:
    home = Home(tmp_path / "home").prepare()
    for name, text in {"taxonomy": TAXONOMY, "markets": MARKETS, **files}.items():
        (home.config / f"{name}.toml").write_text(text, encoding="utf-8")
    return home


def test_defaults(tmp_path: Path) -> None:
    """Stops a file that may be absent from being demanded."""
    config = load_config(_home(tmp_path))
    assert (config.pipeline.restate_days, config.targets.targets) == (28, ())


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("taxonomy", "version = ", r"taxonomy\.toml is not valid TOML"),
        ("taxonomy", TAXONOMY + "colour = 1\n", r"taxonomy\.toml: key queues\.hate\.colour: is not a key of this file"),
        ("taxonomy", TAXONOMY.replace('version = "1"', ""), r"taxonomy\.toml: key version: is missing"),
        ("taxonomy", TAXONOMY.replace("slur", "a b"), r"key queues\.hate\.labels\.1\.code: 'a b' is not a code"),
        ("taxonomy", TAXONOMY.replace("slur", "none"), r"label 'none' is declared twice"),
        ("taxonomy", TAXONOMY.replace("queues.hate", "queues.ALL"), r"'ALL' is reserved"),
        (
            "markets",
            '[markets.BR]\ntime_zone = "Brazil/Rio"\n',
            r"BR\.time_zone: 'Brazil/Rio' is not a time zone",
        ),
        ("markets", '[markets.BR]\ntime_zone = "../etc"\n', r"'\.\./etc' is not a time zone"),
        ("targets", '[[targets]]\nmetric = "f1"\nvalue = 1\n', r"targets\.toml: key targets\.0\.metric"),
        ("targets", '[[targets]]\nmetric = "accuracy"\nvalue = 1\nmarket = "XX"\n', r"market 'XX' is not in markets"),
        ("pipeline", "restate_days = -1\n", r"restate_days: must be 0 or more \(it is -1\)"),
        ("pipeline", 'restate_days = "28"\n', r'restate_days: must be a whole number, without quotes \(it is "28"\)'),
        ("pipeline", "threads = true\n", r"threads: must be a whole number, without quotes \(it is true\)"),
        ("pipeline", 'memory_limit = "lots"\n', r"memory_limit: 'lots' is not an amount of memory: a number and MB"),
        ("pipeline", 'memory_limit = "0.0GB"\n', r"'0\.0GB' is not an amount of memory"),
        ("taxonomy", TAXONOMY.replace("= true", '= "yes"'), r'is_violating: must be true or false, .*\(it is "yes"\)'),
        ("taxonomy", TAXONOMY.replace("= true", "= 1"), r"is_violating: must be true or false, without quotes"),
        ("taxonomy", TAXONOMY.replace('"1"', "1"), r"key version: must be a text, in quotes \(it is 1\)"),
        (
            "taxonomy",
            TAXONOMY.replace("labels = [", 'scale = "big"\nlabels = ['),
            r"scale: must be 'nominal', .* or 'ra",
        ),
        ("taxonomy", 'version = "1"\n[queues.a]\nlabels = []\n', r"key queues\.a\.labels: must have 2 entries or more"),
        ("taxonomy", 'version = "1"\n[queues]\na = 3\n', r"key queues\.a: must be a table of keys and values"),
        ("targets", TARGET.format("defect_rate", "5"), r"targets\.0\.value: defect_rate must be a share from 0 to 1"),
        ("targets", TARGET.format("agreement", "-0.1"), r"agreement must be a share from 0 to 1, .*\(it is -0\.1\)"),
        ("targets", TARGET.format("sla_minutes", "0"), r"sla_minutes must be more than 0 minutes \(it is 0\)"),
        ("targets", TARGET.format("accuracy", '"0.9"'), r"must be a number, without quotes \(it is \"0\.9\"\)"),
        ("targets", TARGET.format("accuracy", "true"), r"must be a number, without quotes \(it is true\)"),
        ("targets", TARGET.format("sla_minutes", "inf"), r"must be a number, not nan or inf"),
    ],
)
def test_a_mistake_names_file_key_and_reason(tmp_path: Path, name: str, text: str, words: str) -> None:
    """Stops a mistake from becoming a traceback or being ignored, and pydantic's own words from being shown."""
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(_home(tmp_path, **{name: text}))
    assert f"{name}.toml" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("Input should", "pattern", "valid string"))


@pytest.mark.parametrize(("metric", "value"), [("defect_rate", "0"), ("accuracy", "1"), ("sla_minutes", "1440")])
def test_a_target_in_its_range_is_taken(tmp_path: Path, metric: Metric, value: str) -> None:
    """Stops the ends of the range, and minutes, from being refused."""
    config = load_config(_home(tmp_path, targets=TARGET.format(metric, value)))
    assert config.target(metric) == float(value)


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """Stops the decoder's own words."""
    home = _home(tmp_path)
    (home.config / "markets.toml").write_bytes("# café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"markets\.toml is not UTF-8: save it as UTF-8\.$"):
        load_config(home)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    """Stops a new user from being left with "file not found"."""
    home = _home(tmp_path)
    (home.config / "taxonomy.toml").unlink()
    with pytest.raises(ConfigError, match=r"taxonomy\.toml is missing: `qa-pipeline simulate`"):
        load_config(home)


def test_the_most_specific_target_counts(tmp_path: Path) -> None:
    """Stops a general target from overriding a vendor's own."""
    rows = [("*", "*", 0.1), ("BR", "*", 0.2), ("BR", "hate", 0.3)]
    text = "".join(
        f'[[targets]]\nmetric = "defect_rate"\nvalue = {value}\nmarket = "{market}"\nqueue = "{queue}"\n'
        for market, queue, value in rows
    )
    config: Config = load_config(_home(tmp_path, targets=text))
    assert config.target("defect_rate") == 0.1
    assert config.target("defect_rate", market="BR") == 0.2
    assert config.target("defect_rate", market="BR", queue="hate") == 0.3
    assert config.target("accuracy") is None


def test_the_fingerprint_follows_what_changes_a_figure(tmp_path: Path) -> None:
    """Stops a changed taxonomy from leaving old figures, and a changed target from costing a rebuild."""
    base = load_config(_home(tmp_path)).fingerprint()
    assert load_config(_home(tmp_path, pipeline="threads = 1\n")).fingerprint() == base
    assert load_config(_home(tmp_path, pipeline="restate_days = 7\n")).fingerprint() != base
    assert load_config(_home(tmp_path, taxonomy=TAXONOMY.replace("slur", "insult"))).fingerprint() != base


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    """Stops a traceback where a file stands in the way."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match="below a file"):
        Home(tmp_path / "file" / "home").prepare()
    with pytest.raises(HomeError, match="is a file, but a folder is needed"):
        Home(tmp_path / "file").prepare()
    home = Home(tmp_path / "home").prepare()
    home.reports.rmdir()
    home.reports.write_text("x")
    with pytest.raises(HomeError, match=r"reports is a file"):
        home.prepare()


def test_the_home_is_the_option_then_the_variable_then_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the variable from overriding what was typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    assert Home.resolve().root == (tmp_path / "var").resolve()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "named"))
    assert Home.resolve().root == (tmp_path / "named").resolve()
    assert Home.resolve(tmp_path / "typed").root == (tmp_path / "typed").resolve()
