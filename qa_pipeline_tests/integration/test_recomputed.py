"""Every mart of defects, control and planning equals a second computation in pandas, from the landed rows."""

import importlib
import pkgutil

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.settings import Home
from qa_pipeline_tests import recomputed
from qa_pipeline_tests.import_support import SHARED_DATA
from qa_pipeline_tests.landed_frames import build, read_landed, simulated_weeks, zencrowd_reviewed

MODULES = {
    module.name: importlib.import_module(f"{recomputed.__name__}.{module.name}")
    for module in pkgutil.iter_modules(recomputed.__path__)
}
MARTS = sorted(name for name, module in MODULES.items() if hasattr(module, "recompute"))
KEY = ["period", "period_start", "period_end", "market", "queue", "subject_kind", "subject", "metric", "reference_kind"]
# Tallies keep weights, which are 1 or more, in whole millionths: a ratio of two of their sums is off by twice that.
WEIGHT_ROUNDING = 2e-6
HOMES = {"simulated": simulated_weeks, "zencrowd": zencrowd_reviewed}


@pytest.fixture(scope="module", params=list(HOMES))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Home]:
    if request.param == "zencrowd" and not SHARED_DATA.is_dir():
        pytest.skip(f"the shared data is absent: {SHARED_DATA}")
    home = Home(tmp_path_factory.mktemp(request.param) / "home").prepare()
    HOMES[request.param](home)
    build(home)
    return request.param, home


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_equals_its_second_computation(built: tuple[str, Home], name: str) -> None:
    """Stops any loss, double counting or wrong weight between a landed row and a figure.

    Both ways: every figure computed again is in the mart and equal, and the mart has no other one of these metrics and
    subjects. Figures that the mart leaves out with a reason are compared by their number of items.
    """
    which, home = built
    module = MODULES[name]
    expected = module.recompute(read_landed(home))
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        found = con.sql(f"from marts.{name} where n_items > 0").to_arrow_table().to_pandas()
    if "period" not in expected:
        span = found.loc[found["period"] == "all", ["period_start", "period_end"]].drop_duplicates()
        assert len(span) == 1 or expected.empty
        expected["period"] = "all"
        for column in span:
            expected[column] = span[column].iloc[0] if len(span) else pd.NaT
    expected = expected[expected["n_items"] > 0]
    if expected.empty:
        # What ZenCrowd has no rows for must be there in the simulated weeks.
        assert which == "zencrowd"
    compared = ["period", "subject_kind", "metric"]
    known = set(map(tuple, expected[compared].drop_duplicates().to_numpy().tolist()))
    found = found[[tuple(row) in known for row in found[compared].to_numpy().tolist()]]
    for frame in (expected, found):
        for column in ("period_start", "period_end"):
            frame[column] = pd.to_datetime(frame[column])
    both = expected.merge(found, on=KEY, how="outer", suffixes=("", "_mart"), indicator=True, validate="1:1")
    assert both[both["_merge"] != "both"][[*KEY, "_merge"]].empty, both[both["_merge"] != "both"][[*KEY, "_merge"]]
    given = both["estimate_mart"].notna()
    assert both.loc[~given, "reason"].notna().all()
    for column in [name.removesuffix("_mart") for name in both if name.endswith("_mart")]:
        again, stored = (both.loc[given, name].to_numpy() for name in (column, f"{column}_mart"))
        if pd.api.types.is_numeric_dtype(again):
            both_floats = (again.astype(float), stored.astype(float))
            np.testing.assert_allclose(*both_floats, rtol=WEIGHT_ROUNDING, atol=1e-9, err_msg=column)
        else:
            np.testing.assert_array_equal(again, stored, err_msg=column)
    np.testing.assert_array_equal(both["n_items"].to_numpy(float), both["n_items_mart"].to_numpy(float))
    if hasattr(module, "faults"):
        assert module.faults(read_landed(home), found) == []
