"""marts.defect_rate over all dates, from landed rows; severity weights are those without a quality.toml."""

import pandas as pd

from qa_pipeline_tests.recomputed.judged import Feeds, decisions, reviews, rolled_up, rows, subjects, weights
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


def _site(feeds: Feeds, row: pd.Series) -> str:
    roster = rows(feeds, "roster", "annotator_id")
    if roster.empty:
        return ""
    before = roster[roster["business_date"] <= row["target_date"]]
    own = before[(before["business_date"] == before["business_date"].max()) & (before["annotator_id"] == row["rater"])]
    return "" if own.empty else str(own["site"].iloc[-1])


def _reviewed(feeds: Feeds) -> pd.DataFrame:
    found = reviews(feeds, decisions(feeds))
    if found.empty:
        return found
    found = found[(found["sampling"] == "random") & (found["stage"] == "production")].copy()
    people = found["kind"] == "label"
    places = found.loc[people, ["target_date", "rater"]].drop_duplicates()
    sites = {(row["target_date"], row["rater"]): _site(feeds, row) for _, row in places.iterrows()}
    pairs = zip(found["target_date"], found["rater"], strict=True)
    found["site"] = [sites.get(pair, "") for pair in pairs]
    found["rater_kind"] = people.map({True: "human", False: "model"})
    found["weight"] = weights(found["inclusion_probability"])
    return pd.concat([subjects(found, PEOPLE, among=people), subjects(found, MODELS, among=~people)])


def _figures(own: pd.DataFrame) -> dict[str, float]:
    is_defect, total = own["error_category"] != "none", own["weight"].sum()
    found = {"defect_rate": own.loc[is_defect, "weight"].sum() / total}
    for severity in SEVERITIES:
        chosen = is_defect & (own["severity"] == severity)
        found[f"defect_rate_{severity}"] = own.loc[chosen, "weight"].sum() / total
    for category in CATEGORIES:
        found[f"defect_rate_{category}"] = own.loc[own["error_category"] == category, "weight"].sum() / total
    points = own["severity"].map(SEVERITIES) * is_defect
    found["defects_per_1000_weighted"] = 1000 * (own["weight"] * points).sum() / total
    return found


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
