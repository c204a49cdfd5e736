"""The code location as the server loads it: assets described and owned, writers in the pool, lineage from SQL."""

import ast
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster_shared.utils.warnings import PreviewWarning

from qa_pipeline import definitions
from qa_pipeline.contracts import FEEDS
from qa_pipeline.defs.partitions import WRITER_POOL
from qa_pipeline.defs.resources import Warehouse
from qa_pipeline.marts.build import MARTS
from qa_pipeline.restating import VIEWS
from qa_pipeline.settings import Home, project_root

GROUPS = ["1_raw", "2_validated", "3_quarantine", "4_facts", "5_tallies", "6_marts", "7_reports"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions, loaded with every warning an error but the one that checks with partitions are a preview."""
    home = Home(tmp_path_factory.mktemp("definitions"))
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(home.root))
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*partitions_def.*", category=PreviewWarning)
        found = definitions.defs()
        dg.Definitions.validate_loadable(found)
    return found


@pytest.fixture(scope="module")
def specs(loaded: dg.Definitions) -> Sequence[dg.AssetSpec]:
    return loaded.resolve_all_asset_specs()


def _keys(graph: dg.Definitions, job: str) -> set[str]:
    nodes = graph.resolve_job_def(job).asset_layer.executable_asset_keys
    return {key.to_user_string() for key in nodes}


def test_every_layer_of_every_feed_is_an_asset(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops a feed, fact or mart that is built but not shown."""
    keys = {spec.key.to_user_string() for spec in specs}
    for feed in FEEDS:
        assert {f"raw/raw_{feed}", f"validated/valid_{feed}", f"quarantine/quarantined_{feed}"} <= keys
    for layer in ("facts", "tallies", "ops"):
        files = {f"{layer}/{path.stem}" for path in (project_root() / "sql" / layer).glob("*.sql")}
        assert files
        views = {f"{layer}/{name}" for name in VIEWS}
        assert files - views == {key for key in keys if key.startswith(f"{layer}/")}
    assert {f"marts/{mart}" for mart in MARTS} == {key for key in keys if key.startswith("marts/")}
    assert {"reports/pages", "reports/review_sample", "reports/published_warehouse"} <= keys


def test_what_a_view_reads_is_upstream_of_its_readers(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops lineage that ends at a view, which is no asset."""
    ratings = next(spec for spec in specs if spec.key.to_user_string() == "facts/ratings")
    upstream = {dep.asset_key.to_user_string() for dep in ratings.deps}
    assert upstream == {"validated/valid_labels", "validated/valid_predictions", "facts/rejected_labels"}


def test_every_asset_says_what_it_is_and_whose(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops an asset without description, owner, group or icons; the sidebar sorts groups by their number."""
    assert sorted({str(spec.group_name) for spec in specs}) == GROUPS
    for spec in specs:
        name = spec.key.to_user_string()
        assert spec.description, name
        assert len(spec.description) > 40, name
        assert "<" not in spec.description, f"{name}: Markdown would swallow it"
        assert list(spec.owners) == ["team:label-quality"], name
        assert 1 <= len(spec.kinds) <= 3, name


def test_leaf_names_are_unique(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops two nodes of the graph that look the same: a node shows only the last part of its key."""
    leaves = [spec.key.path[-1] for spec in specs]
    assert len(leaves) == len(set(leaves))


def test_tables_have_a_name_and_documented_columns(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops a column of a feed or a mart without an explanation in the UI."""
    for spec in specs:
        if spec.key.path[0] in ("raw", "validated", "quarantine", "marts"):
            schema = spec.metadata["dagster/column_schema"]
            undocumented = [column.name for column in schema.columns if not column.description]
            assert undocumented == [], spec.key.to_user_string()
        if spec.key.path[0] not in ("raw", "reports"):
            assert spec.metadata["dagster/table_name"] == f"warehouse.{'.'.join(spec.key.path)}"


def test_every_step_writes_in_the_pool(loaded: dg.Definitions) -> None:
    """Stops a writer outside the pool: DuckDB lets one process write."""
    for assets in loaded.resolve_asset_graph().assets_defs:
        assert assets.op.pool == WRITER_POOL, assets.op.name
    assert loaded.executor is dg.in_process_executor


def test_checks_follow_the_partitions_of_their_asset(loaded: dg.Definitions) -> None:
    """Stops a check of a partitioned asset without partitions, which leaves a phantom skipped row in the UI."""
    graph = loaded.resolve_asset_graph()
    for key in graph.asset_check_keys:
        check, asset = graph.get(key), graph.get(key.asset_key)
        assert check.partitions_def == asset.partitions_def, key.to_user_string()
        assert check.description, key.to_user_string()


def test_blocking_checks_are_the_ones_that_must_stop_a_run(loaded: dg.Definitions) -> None:
    """Stops a block rule or an unbalanced ledger from becoming a mere remark, and a warning from stopping a night."""
    graph = loaded.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    expected = {f"{feed}_{name}" for feed in FEEDS for name in ("block_rules", "ledger_adds_up")}
    expected |= {f"{mart}_{name}" for mart in MARTS for name in ("keys_unique", "intervals_in_order")}
    expected |= {f"{name}_not_empty" for name, mart in MARTS.items() if mart.source is not None}
    expected |= {f"{feed}_cross_date_rules" for feed in ("labels", "reviews", "appeals")} | {"ledger_still_adds_up"}
    assert blocking == expected


def test_lineage_is_what_the_sql_reads(loaded: dg.Definitions) -> None:
    """Stops lineage written by hand that goes its own way; the expected parents were read off the SQL by eye."""
    graph = loaded.resolve_asset_graph()

    def parents(*path: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(dg.AssetKey(path)).parent_keys}

    assert parents("validated", "valid_labels") == {"raw/raw_labels"}
    ratings = {"validated/valid_labels", "validated/valid_predictions", "facts/rejected_labels"}
    assert parents("facts", "ratings") == ratings
    assert parents("tallies", "pair_counts") == {"facts/ratings", "facts/human_model"}
    assert parents("marts", "rater_vitality") == {"tallies/rater_patterns", "tallies/unit_patterns"}
    # Its suite compares annotators with the roster in force.
    assert parents("facts", "rejected_labels") >= {"validated/valid_labels", "validated/valid_roster"}
    assert parents("tallies", "unit_patterns") == {"facts/ratings", "facts/human_model"}
    assert parents("marts", "agreement") == {"tallies/unit_patterns", "tallies/rater_patterns"}
    assert parents("marts", "defect_rate") == {"tallies/review_counts", "tallies/reviewer_outcomes"}
    picked = {"marts/review_plan", "validated/valid_labels", "facts/rejected_labels"}
    assert parents("reports", "review_sample") >= picked
    assert parents("reports", "published_warehouse") >= {"reports/pages", "marts/drift", "quarantine/quarantined_gold"}


def test_jobs_select_their_layers(loaded: dg.Definitions) -> None:
    """Stops a job that leaves out a layer or takes one too many."""
    everything = {spec.key.to_user_string() for spec in loaded.resolve_all_asset_specs()}
    parts = {
        "load_day": {"raw", "validated", "quarantine"},
        "restate": {"facts", "ops", "tallies"},
        "publish": {"marts", "reports"},
    }
    for job, layers in parts.items():
        assert _keys(loaded, job) == {key for key in everything if key.split("/", maxsplit=1)[0] in layers}, job
    assert _keys(loaded, "nightly") == everything
    assert loaded.resolve_job_def("nightly").partitions_def is not None
    assert loaded.resolve_job_def("publish").partitions_def is None


def test_figures_have_a_freshness_policy(specs: Sequence[dg.AssetSpec]) -> None:
    """Stops marts and pages that grow old without a word."""
    for spec in specs:
        assert (spec.freshness_policy is not None) == (spec.group_name in ("6_marts", "7_reports")), spec.key


def test_partitions_have_today_and_the_first_date_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a night that cannot load what has landed of today, or dates before the default start."""
    from qa_pipeline.defs.partitions import daily  # noqa: PLC0415 - beside its use

    monkeypatch.setenv("QA_FIRST_DATE", "2019-05-06")
    assert daily().get_first_partition_key() == "2019-05-06"
    closed = dg.DailyPartitionsDefinition(start_date="2019-05-06", timezone="UTC")
    assert len(daily().get_partition_keys()) == len(closed.get_partition_keys()) + 1


def test_warehouse_is_closed_when_the_step_fails(tmp_path: Path) -> None:
    """Stops a connection left open by a failing step, which would lock the file for the next one."""
    from qa_pipeline_tests.small_home import write_small_home  # noqa: PLC0415 - beside its use

    home = write_small_home(tmp_path, days=0)
    warehouse = Warehouse(database=str(home.warehouse))
    with pytest.raises(ZeroDivisionError), warehouse.get_connection() as con:
        _ = 1 / 0
    with pytest.raises(Exception, match="closed"):
        con.execute("select 1")


def test_a_users_error_reaches_the_ui_as_its_sentence(tmp_path: Path) -> None:
    """Stops a traceback where a sentence tells what to mend."""
    home = Home(tmp_path).prepare()
    (home.config / "markets.toml").write_text("[markets.de]\ntime_zone = 'Europe/Nowhere'\n", encoding="utf-8")
    (home.config / "taxonomy.toml").write_text("version = '1'\n[queues]\n", encoding="utf-8")
    with pytest.raises(dg.Failure) as raised, Warehouse(database=str(home.warehouse)).opened():
        pass
    assert re.search(r"markets\.toml: key .*time_zone.*Europe/Nowhere", str(raised.value.description))


def test_dagster_is_imported_nowhere_else() -> None:
    """Stops the engine from leaning on Dagster: it is imported in definitions.py and defs/ alone."""
    package = project_root() / "qa_pipeline"
    importing = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(re.match(r"dagster(_\w+)?(\.|$)", name) for name in names):
                importing.add(path.relative_to(package).parts[0])
    assert importing == {"definitions.py", "defs"}
