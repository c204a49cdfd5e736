# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["irrCAC==0.4.4", "numpy==1.26.4", "pandas==2.3.3", "scipy==1.12.0"]
# ///
"""`make fixtures`: random rating tables and what irrCAC says of them, for the tests of agreement to compare with.

irrCAC is the Python edition of K. L. Gwet's own irrCAC for R. It needs pandas 2 and an old scipy, so it cannot share
the project's environment: the versions above are installed in one of its own, and the answers are kept as a file. Only
drawing tables and asking irrCAC belong here; what is comparable, and how closely, is said by the test.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from irrCAC.raw import CAC

OUTPUT = Path(__file__).resolve().parents[1] / "qa_pipeline_tests" / "data" / "irrcac.json"
SEED = 20261119
# irrCAC rounds to 5 digits unless told otherwise.
DIGITS = 10
WEIGHTS = ("identity", "ordinal", "quadratic", "ratio")
UNITS = (10, 40, 150)
MISSING_SHARES = (0.0, 0.35)
# The first of each two has two raters, so that Cohen's kappa is asked for on every scale.
RATERS = ((2, 2), (3, 5))
MISSING = "."
# Numbers of the labels: even steps, then steps that grow, so that ranks and values cannot be taken for each other.
EVEN, UNEVEN = (1, 2, 3, 4, 5, 6), (1, 2, 4, 7, 11, 16)
LAYOUT = (
    "labels: the declared labels' numbers. ratings: a text for each rater, a character for each unit: the place of the "
    "label in labels, or . where the rater gave none. weights: irrCAC's name. answers: by irrCAC's method the "
    "coefficient, its standard error (se) and the observed agreement (pa); conger only for two raters who rated all."
)


def main() -> None:
    """Draw the tables, ask irrCAC and write the file."""
    rng = np.random.default_rng(SEED)
    tables = [
        _answered(_drawn(rng, units=units, raters=raters, missing_share=missing_share, weights=weights))
        for weights in WEIGHTS
        for units in UNITS
        for missing_share in MISSING_SHARES
        for raters in RATERS
    ]
    about = {
        "made_by": "make fixtures (benchmarks/irrcac_fixtures.py)",
        "packages": {name: version(name) for name in ("irrCAC", "numpy", "pandas", "scipy")},
        "seed": SEED,
        "digits": DIGITS,
        "layout": LAYOUT,
    }
    lines = ",\n".join(json.dumps(table, separators=(",", ":")) for table in tables)
    text = f'{{"about": {json.dumps(about, indent=1)},\n"tables": [\n{lines}\n]}}\n'
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(text, encoding="utf-8")
    print(f"{len(tables)} tables, {len(text):,} characters")


def _drawn(
    rng: np.random.Generator, *, units: int, raters: tuple[int, int], missing_share: float, weights: str
) -> dict[str, Any]:
    """A table of raters who know the right label more or less often; drawn anew until agreement is defined.

    At least two labels on units with two ratings, some agreement and some disagreement; a unit has a rating or is
    left out. Every third table or so declares a label that nobody chose.
    """
    while True:
        columns = int(rng.integers(*raters, endpoint=True))
        labels = int(rng.integers(2 if weights == "identity" else 3, 7))
        used = labels - 1 if labels > 2 and rng.random() < 0.3 else labels
        prevalence = rng.dirichlet(np.full(used, 1.5))
        truth = rng.choice(used, size=units, p=prevalence)
        guesses = rng.choice(used, size=(units, columns), p=prevalence)
        is_right = rng.random((units, columns)) < rng.uniform(0.4, 0.95, size=columns)
        given = np.where(is_right, truth[:, None], guesses)
        is_given = rng.random((units, columns)) >= missing_share
        given, is_given = given[is_given.any(axis=1)], is_given[is_given.any(axis=1)]
        pairs = [row[known] for row, known in zip(given, is_given, strict=True) if known.sum() > 1]
        alike = [len(set(pair)) == 1 for pair in pairs]
        if any(alike) and not all(alike) and is_given.any(axis=0).all():
            break
    numbers = EVEN if weights in ("identity", "ordinal") else UNEVEN
    texts = [
        "".join(str(label) if known else MISSING for label, known in zip(column, is_known, strict=True))
        for column, is_known in zip(given.T, is_given.T, strict=True)
    ]
    return {"weights": weights, "labels": numbers[:labels], "ratings": texts}


def _answered(table: dict[str, Any]) -> dict[str, Any]:
    """The table with irrCAC's answers."""
    columns = [
        [np.nan if place == MISSING else float(table["labels"][int(place)]) for place in text]
        for text in table["ratings"]
    ]
    asked = CAC(
        pd.DataFrame(np.array(columns).T),
        weights=table["weights"],
        categories=[float(number) for number in table["labels"]],
        digits=DIGITS,
    )
    methods = ["gwet", "fleiss", "krippendorff", "bp"]
    if len(columns) == 2 and not any(MISSING in text for text in table["ratings"]):
        methods.append("conger")
    answers = {}
    for method in methods:
        found = getattr(asked, method)()["est"]
        answers[method] = {
            name: round(float(found[key]), DIGITS)
            for name, key in (("value", "coefficient_value"), ("se", "se"), ("pa", "pa"))
        }
    return table | {"answers": answers}


if __name__ == "__main__":
    main()
