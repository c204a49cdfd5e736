"""marts.accuracy over all dates, from landed rows."""

import pandas as pd

from qa_pipeline_tests.recomputed.judged import Feeds, decisions, reviews, rolled_up, rows, subjects, weights
from qa_pipeline_tests.recomputed.qa_accuracy import COLUMNS

PEOPLE = {"rater_kind": "rater_kind", "vendor": "vendor", "annotator": "rater", "label": "reference_label"}
MODELS = {"rater_kind": "rater_kind", "model_version": "rater", "model_label": "reference_label"}
PLACE = ["kind", "target_id", "target_date", "market"]


def _ratings(made: pd.DataFrame) -> pd.DataFrame:
    """Each annotator's last production decision on an item, and every decision of a model."""
    people = made[(made["kind"] == "label") & (made["stage"] == "production")].sort_values("decided_at", kind="stable")
    people = people.drop_duplicates(["market", "queue", "item_id", "rater"], keep="last")
    return pd.concat([people, made[(made["kind"] == "prediction") & made["is_decision"].astype(bool)]])


def _arbitrations(feeds: Feeds, made: pd.DataFrame) -> pd.DataFrame:
    """Reviews of reviews, of the same item, market and queue, that are not the reviewer's own."""
    every = rows(feeds, "reviews", "review_id")
    if every.empty:
        return every
    known = reviews(feeds, made)[["review_id", "item_id", "market", "queue", "reviewer_id", "business_date"]]
    known = known.add_prefix("its_")
    found = every[every["target_kind"] == "review"].merge(known, left_on="target_id", right_on="its_review_id")
    is_meant = found["reviewer_id"] != found["its_reviewer_id"]
    is_meant &= found["business_date"] >= found["its_business_date"]
    for name in ("item_id", "market", "queue"):
        is_meant &= found[name] == found[f"its_{name}"]
    return found[is_meant]


def _references(feeds: Feeds, made: pd.DataFrame) -> pd.DataFrame:
    """Known answers, experts' decisions and arbitration of items."""
    names = ["queue", "item_id", "its_market", "reference_label", "reference_kind", "precedence", "given_on"]
    names += ["given_at", "given_by", "valid_from"]
    parts = []
    gold = feeds["gold"]
    if not gold.empty:
        parts.append(
            gold.assign(
                its_market=gold["market"].fillna("") if "market" in gold else "",
                reference_label=gold["label"],
                reference_kind="gold",
                precedence=1,
                given_by="",
            )
        )
    experts = made[(made["kind"] == "label") & (made["stage"] == "expert")]
    parts.append(
        experts.assign(
            business_date=experts["target_date"],
            its_market=experts["market"],
            reference_label=experts["label"],
            reference_kind="expert",
            precedence=2,
            given_at=experts["decided_at"],
            given_by=experts["rater"],
        )
    )
    judged = _arbitrations(feeds, made)
    if not judged.empty:
        parts.append(
            judged.assign(
                its_market=judged["market"],
                reference_label=judged["verdict_label"],
                reference_kind="arbitration",
                precedence=2,
                given_at=judged["reviewed_at"],
                given_by=judged["reviewer_id"],
            )
        )
    parts = [part.rename(columns={"business_date": "given_on"}).reindex(columns=names) for part in parts]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _judged(feeds: Feeds) -> pd.DataFrame:
    """Ratings beside their best reference, and its chance of having been picked."""
    made = decisions(feeds)
    ratings = _ratings(made)
    settled = ratings.merge(_references(feeds, made), on=["queue", "item_id"])
    is_here = settled["its_market"].isin([""]) | (settled["its_market"] == settled["market"])
    is_valid = settled["valid_from"].isna() | (settled["valid_from"] <= settled["decided_at"])
    settled = settled[is_here & is_valid & (settled["given_by"] != settled["rater"])]
    settled = settled.assign(sampling="census", inclusion_probability=None)
    parts = [settled]
    checked = reviews(feeds, made)
    if not checked.empty:
        checked = checked[checked["is_blind"]]
        names = ["kind", "target_id", "target_date", "verdict_label", "sampling", "inclusion_probability"]
        checked = checked[[*names, "business_date", "reviewed_at"]].rename(
            columns={"verdict_label": "reference_label", "business_date": "given_on", "reviewed_at": "given_at"}
        )
        checked["precedence"] = checked["sampling"].map(lambda sampling: 3 if sampling == "random" else 4)
        parts.append(ratings.merge(checked.assign(reference_kind="qa"), on=PLACE[:3]))
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    found = found.assign(nearness=-found["precedence"].astype(int))
    order = ["nearness", "given_on", "given_at", "reference_kind"]
    best = found.sort_values(order, na_position="first", kind="stable").drop_duplicates(PLACE, keep="last")
    return best[best["sampling"].isin(["census", "random"])]


def recompute(feeds: Feeds) -> pd.DataFrame:
    """Every figure of period all."""
    judged = _judged(feeds)
    if judged.empty:
        return pd.DataFrame(columns=COLUMNS)
    people = judged["kind"] == "label"
    judged = judged.assign(
        rater_kind=people.map({True: "human", False: "model"}),
        weight=weights(judged["inclusion_probability"]),
        is_right=judged["label"] == judged["reference_label"],
    )
    judged = pd.concat([judged, judged.assign(reference_kind="any")], ignore_index=True)
    people = judged["kind"] == "label"
    every = pd.concat([subjects(judged, PEOPLE, among=people), subjects(judged, MODELS, among=~people)])
    lines = []
    for place, own in rolled_up(every).groupby(["market", "queue", "subject_kind", "subject", "reference_kind"]):
        market, queue, subject_kind, subject, reference_kind = place
        rate = own.loc[own["is_right"], "weight"].sum() / own["weight"].sum()
        lines.append((market, queue, subject_kind, subject, "accuracy", reference_kind, rate, len(own)))
    return pd.DataFrame(lines, columns=COLUMNS)
