"""marts.defect_rate over all dates, from landed rows; severity weights are those without a quality.toml."""

import pandas as pd

from qa_pipeline_tests.recomputed.judged import (
    Feeds,
    decisions,
    first_random,
    reviews,
    rolled_up,
    rows,
    subjects,
    weights,
)
from qa_pipeline_tests.recomputed.qa_accuracy import COLUMNS, shares, verdicts

Errors = dict[tuple[str, str, str], dict[str, float]]
SEVERITIES = {"critical": 10, "major": 5, "minor": 1}
CATEGORIES = ("false_positive", "false_negative", "wrong_policy", "technical")
PEOPLE = {
    "rater_kind": "rater_kind",
    "vendor": "vendor",
    "annotator": "rater",
    "site": "site",
    "content_type": "content_type",
    "label": "decided",
    "guideline_version": "guideline_version",
}
MODELS = {
    "rater_kind": "rater_kind",
    "model_version": "rater",
    "model_content_type": "content_type",
    "model_label": "decided",
}
CORRECTED = ("rater_kind", "vendor", "model_version")


def _sites(feeds: Feeds, found: pd.DataFrame) -> pd.Series:
    """Where the newest roster of the day puts each rater; empty where it does not."""
    roster = rows(feeds, "roster", "annotator_id")
    if roster.empty:
        return pd.Series("", index=found.index)
    dates = pd.Series(sorted(roster["business_date"].unique()))
    newest_of = {day: dates[dates <= day].max() for day in found["target_date"].unique()}
    newest = found["target_date"].map(newest_of)
    known = roster.set_index(["business_date", "annotator_id"])["site"].to_dict()
    return pd.Series(
        [known.get(pair) or "" for pair in zip(newest, found["rater"], strict=True)], index=found.index, dtype="object"
    )


def _reviewed(feeds: Feeds) -> pd.DataFrame:
    found = reviews(feeds, decisions(feeds))
    if found.empty:
        return found
    found = first_random(found)
    found = found[found["stage"] == "production"].copy()
    people = found["kind"] == "label"
    found["site"] = _sites(feeds, found)
    found["rater_kind"] = people.map({True: "human", False: "model"})
    found["weight"] = weights(found["inclusion_probability"])
    return pd.concat([subjects(found, PEOPLE, among=people), subjects(found, MODELS, among=~people)])


def _figures(own: pd.DataFrame) -> dict[str, float]:
    total, defects, points = 0.0, 0.0, 0.0
    weight_of = dict.fromkeys((*SEVERITIES, *CATEGORIES), 0.0)
    for weight, category, severity in zip(own["weight"], own["error_category"], own["severity"], strict=True):
        total += weight
        if category != "none":
            defects += weight
            points += weight * SEVERITIES[severity]
            weight_of[category] += weight
            weight_of[severity] += weight
    found = {"defect_rate": defects / total, "defects_per_1000_weighted": 1000 * points / total}
    return found | {f"defect_rate_{name}": weight / total for name, weight in weight_of.items()}


def _true_rate(own: pd.DataFrame, qa: dict[str, float] | None) -> float:
    """Rogan and Gladen's rate of blind reviews, not clipped; NaN where QA's errors are not known or say nothing."""
    if qa is None:
        return float("nan")
    informed = qa["qa_sensitivity"] + qa["qa_specificity"] - 1
    is_defect = own["error_category"] != "none"
    apparent = own.loc[is_defect, "weight"].sum() / own["weight"].sum()
    return (apparent + qa["qa_specificity"] - 1) / informed if informed > 0 else float("nan")


def _is_known(qa: dict[str, float] | None) -> bool:
    return qa is not None and not pd.isna(qa["qa_sensitivity"])


def _corrected(blind: pd.DataFrame, errors: Errors) -> float:
    """The mean of corrected market x queue by decisions; a queue whose own errors lack somewhere borrows within it."""
    kind = blind["kind"].iloc[0]
    cells = dict(list(blind.groupby(["cell_market", "cell_queue"])))
    if len(cells) == 1:
        ((market, queue),) = cells
        rate = _true_rate(blind, errors.get((str(market), str(queue), kind)))
        return rate if pd.isna(rate) else min(max(rate, 0.0), 1.0)
    total = 0.0
    for queue, of_queue in blind.groupby("cell_queue"):
        own = {cell: part for cell, part in cells.items() if cell[1] == queue}
        if all(_is_known(errors.get((*cell, kind))) for cell in own):
            rates = [(_true_rate(part, errors[*cell, kind]), part["weight"].sum()) for cell, part in own.items()]
        else:
            rates = [(_true_rate(of_queue, errors.get(("ALL", str(queue), kind))), of_queue["weight"].sum())]
        total += sum(rate * weight for rate, weight in rates)
    rate = total / blind["weight"].sum()
    # Outside 0 to 1 the mart may also say that the verdicts contradict each other, and give nothing.
    return rate if pd.isna(rate) else min(max(rate, 0.0), 1.0)


def recompute(feeds: Feeds) -> pd.DataFrame:
    """Every figure of period all."""
    reviewed = _reviewed(feeds)
    if reviewed.empty:
        return pd.DataFrame(columns=COLUMNS)
    judged = rolled_up(verdicts(feeds))
    errors: Errors = {}
    for (market, queue, kind), own in judged.groupby(["market", "queue", "kind"]):
        errors[str(market), str(queue), str(kind)] = shares(own)
    lines: list[tuple[object, ...]] = []
    apart = reviewed.assign(cell_market=reviewed["market"], cell_queue=reviewed["queue"])
    for place, own in rolled_up(apart).groupby(["market", "queue", "subject_kind", "subject"]):
        market, queue, subject_kind, subject = place
        if subject_kind in CORRECTED:
            blind = own[own["is_blind"].astype(bool)]
            rate = _corrected(blind, errors) if len(blind) else float("nan")
            lines.append((market, queue, subject_kind, subject, "defect_rate_corrected", "qa", rate, len(blind)))
        for metric, estimate in _figures(own).items():
            lines.append((market, queue, subject_kind, subject, metric, "qa", estimate, len(own)))
    return pd.DataFrame(lines, columns=COLUMNS)
