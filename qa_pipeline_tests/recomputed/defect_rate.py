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


def recompute(feeds: Feeds) -> pd.DataFrame:
    """Every figure of period all."""
    reviewed = _reviewed(feeds)
    if reviewed.empty:
        return pd.DataFrame(columns=COLUMNS)
    judged = rolled_up(verdicts(feeds))
    errors = {place: shares(own) for place, own in judged.groupby(["market", "queue", "kind"])}
    lines: list[tuple[object, ...]] = []
    for place, own in rolled_up(reviewed).groupby(["market", "queue", "subject_kind", "subject"]):
        market, queue, subject_kind, subject = place
        figures = _figures(own)
        qa = errors.get((market, queue, own["kind"].iloc[0]))
        if subject_kind in CORRECTED:
            blind = own[own["is_blind"].astype(bool)]
            rate = float("nan")
            if qa is not None and len(blind):
                informed = qa["qa_sensitivity"] + qa["qa_specificity"] - 1
                apparent = _figures(blind)["defect_rate"]
                rate = (apparent + qa["qa_specificity"] - 1) / informed if informed > 0 else rate
            # Outside 0 to 1 the mart may also say that the verdicts contradict each other, and give nothing.
            rate = min(max(rate, 0.0), 1.0)
            lines.append((market, queue, subject_kind, subject, "defect_rate_corrected", "qa", rate, len(blind)))
        for metric, estimate in figures.items():
            lines.append((market, queue, subject_kind, subject, metric, "qa", estimate, len(own)))
    return pd.DataFrame(lines, columns=COLUMNS)
