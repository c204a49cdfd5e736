"""The published warehouse: whole, commented, and never in anybody's way."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import publishing, restating, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.errors import HomeError, WarehouseError
from qa_pipeline.marts.build import build_marts
from qa_pipeline.settings import Home, project_root
from qa_pipeline_tests.docs_recipes import recipes
from qa_pipeline_tests.random_operation import write_config

READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print(con.execute("select taxonomy_version from config.settings").fetchall()[0][0], flush=True)
sys.stdin.readline()
print(con.execute("select taxonomy_version from config.settings").fetchall()[0][0], flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    write_config(home)
    return home


def _publish(home: Home) -> Path:
    config = load_config(home)
    with warehouse.working(home, config) as con:
        restating.ensure_tables(con, restate_days=config.pipeline.restate_days)
        return publishing.publish(con, home)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published before anything has landed."""
    home = Home(tmp_path_factory.mktemp("published") / "home")
    write_config(home)
    config = load_config(home)
    with warehouse.working(home, config) as con:
        restating.ensure_tables(con, restate_days=config.pipeline.restate_days)
        build_marts(con, sql_root=project_root() / "sql", config=config)
        return publishing.publish(con, home)


def test_a_reader_in_another_process_neither_blocks_nor_is_blocked(home: Home) -> None:
    """Stops a publication that waits for readers, or changes what a reader sees half-way."""
    path = _publish(home)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline().strip() == "1"
        taxonomy = home.config / "taxonomy.toml"
        taxonomy.write_text(taxonomy.read_text().replace('version = "1"', 'version = "2"'))
        _publish(home)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == "1"
    with publishing.open_published(home) as con:
        assert con.execute("select taxonomy_version from config.settings").fetchall() == [("2",)]
    assert [entry.name for entry in path.parent.iterdir()] == ["warehouse.duckdb"]


@pytest.mark.parametrize("title", list(recipes()))
def test_recipes_of_the_docs_run_on_what_is_published(published: Path, title: str) -> None:
    """Stops a recipe that names a table or column which only the tests' own tables have."""
    with duckdb.connect(str(published), read_only=True) as con:
        assert con.execute(recipes()[title]).description


def test_what_is_published_is_commented_and_nothing_private_is_in_it(home: Home) -> None:
    """Stops an analyst from meeting a table without a word about it, or the pipeline's own bookkeeping."""
    _publish(home)
    with publishing.open_published(home) as con:
        tables = con.execute("select schema_name || '.' || table_name, comment from duckdb_tables()").fetchall()
        assert {name.split(".")[0] for name, _ in tables} <= set(publishing.PUBLISHED_SCHEMAS)
        assert [name for name, comment in tables if not comment] == []
        assert "ops.dirty" not in dict(tables)
        assert con.execute("select count(*) from quarantine.quarantined_rows").fetchall() == [(0,)]
        with pytest.raises(duckdb.Error):
            con.execute("create table x (a integer)")


def test_two_writers_are_told_apart(home: Home) -> None:
    """Stops a second run from failing with a lock error that nobody understands."""
    config = load_config(home)
    code = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        with pytest.raises(WarehouseError, match="is being written by another run"):
            warehouse.open_working(home, config)
        writer.stdin.write("\n")
        writer.stdin.flush()


def test_a_file_that_is_no_warehouse_is_refused(home: Home) -> None:
    """Stops a foreign file from being overwritten, or from ending in a traceback."""
    home.warehouse.write_text("this is not a database" * 1000)
    with pytest.raises(WarehouseError, match="cannot be opened as a DuckDB file"):
        warehouse.open_working(home, load_config(home))


def test_nothing_published_says_what_to_do(home: Home) -> None:
    """Stops a traceback before the first run."""
    with pytest.raises(HomeError, match="run `qa-pipeline run` first"):
        publishing.open_published(home)


def test_a_published_folder_that_is_a_file_is_one_sentence(home: Home) -> None:
    """Stops a traceback where a file stands in the way."""
    home.published.parent.rmdir()
    home.published.parent.write_text("x")
    with pytest.raises(HomeError, match="published"):
        _publish(home)
