"""marts.qa_accuracy over all dates, from landed rows."""

import numpy as np
import pandas as pd

from qa_pipeline_tests.recomputed.judged import Feeds, decisions, first_random, reviews, rolled_up, rows, weights

LEAST = 10
COLUMNS = ["market", "queue", "subject_kind", "subject", "metric", "reference_kind", "estimate", "n_items"]


def verdicts(feeds: Feeds) -> pd.DataFrame:
    """Blind verdicts on decisions drawn: is_called, weight (0: not arbitrated at random), is_defect by arbitration."""
    judged = reviews(feeds, decisions(feeds))
    if judged.empty:
        return judged
    judged = first_random(judged)
    judged = judged[judged["is_blind"]]
    later = rows(feeds, "reviews", "review_id")
    later = later[(later["target_kind"] == "review") & later["is_blind"]]
    names = ["target_id", "verdict_label", "error_category", "sampling", "inclusion_probability", "reviewed_at"]
    later = later[[*names, "business_date", "item_id", "market", "queue", "reviewer_id"]].add_prefix("its_")
    both = judged.reset_index(drop=True).reset_index(names="place")
    both = both.merge(later, left_on="review_id", right_on="its_target_id")
    is_meant = both["its_business_date"] >= both["business_date"]
    is_meant &= both["its_reviewer_id"] != both["reviewer_id"]
    for name in ("item_id", "market", "queue"):
        is_meant &= both[f"its_{name}"] == both[name]
    both = both[is_meant].assign(is_other=both["its_sampling"] != "random")
    chosen = both.sort_values(["is_other", "its_reviewed_at", "its_business_date"], kind="stable")
    chosen = chosen.drop_duplicates("place").set_index("place")
    found = judged.reset_index(drop=True).join(chosen.filter(like="its_"))
    is_confirmed = (found["its_error_category"] == "none") & (found["its_verdict_label"] == found["verdict_label"])
    is_called = found["error_category"] != "none"
    is_other = found["its_verdict_label"] != found["decided"]
    is_missed = ~is_called & found["its_error_category"].notna() & (found["its_error_category"] != "none")
    is_random = found["its_sampling"] == "random"
    chances = [found[name].astype(float).fillna(1.0) for name in ("inclusion_probability", "its_inclusion_probability")]
    weight = weights(chances[0] * chances[1])
    return found.assign(
        is_called=is_called,
        is_arbitrated=is_random,
        is_defect=np.where(is_confirmed, is_called, is_other | is_missed),
        weight=np.where(is_random, weight, 0.0),
    )


def shares(found: pd.DataFrame) -> dict[str, float]:
    """Sensitivity, specificity and share confirmed of some verdicts; NaN where they may not be given."""
    arbitrated = found[found["is_arbitrated"]]
    defect, called = arbitrated["is_defect"].astype(bool), arbitrated["is_called"].astype(bool)
    weight = arbitrated["weight"]
    is_one_sided = set(found["is_called"]) != set(arbitrated["is_called"])
    is_thin = min(defect.sum(), (~defect).sum()) < LEAST
    nothing = dict.fromkeys(("qa_sensitivity", "qa_specificity", "qa_confirmed"), np.nan)
    if is_one_sided or arbitrated.empty:
        return nothing
    confirmed = weight[defect == called].sum() / weight.sum()
    if is_thin:
        return nothing | {"qa_confirmed": confirmed}
    return {
        "qa_sensitivity": weight[defect & called].sum() / weight[defect].sum(),
        "qa_specificity": weight[~defect & ~called].sum() / weight[~defect].sum(),
        "qa_confirmed": confirmed,
    }


def recompute(feeds: Feeds) -> pd.DataFrame:
    """Every figure of period all."""
    found = verdicts(feeds)
    if found.empty:
        return pd.DataFrame(columns=COLUMNS)
    lines = []
    for subject_kind, column in (("target_kind", "kind"), ("reviewer", "reviewer_id")):
        for place, own in rolled_up(found).groupby(["market", "queue", column]):
            for metric, estimate in shares(own).items():
                market, queue, subject = place
                n = int(own["is_arbitrated"].sum())
                lines.append((market, queue, subject_kind, subject, metric, "arbitration", estimate, n))
    return pd.DataFrame(lines, columns=COLUMNS)
