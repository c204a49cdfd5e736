"""The numbers at the top of a market's page. Figures in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.naming import ALL
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.reading import Volume


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page with what stands under it; `key` colours the last line."""

    label: str
    value: str
    detail: str
    note: str
    key: str = ""


def tiles(overview: Overview, *, market: str, volumes: Sequence[Volume]) -> list[Tile]:
    """Defect rate, agreement, audits and decisions of the market's newest 28 days."""
    rate, alpha = overview.defects[market, ALL], overview.agreements[market, ALL]
    last = overview.span.last
    recent = [volume for volume in volumes if 0 <= (last - volume.day).days < 28]
    human, audited = sum(volume.human for volume in recent), sum(volume.reviewed for volume in recent)
    model = sum(volume.model for volume in recent)
    target = "no target set" if rate.target is None else f"target {words.percent(rate.target)}: {rate.verdict.word}"
    share = f"{words.percent(audited / human)} of human decisions" if human else ""
    return [
        Tile(
            "Defect rate, 28 days",
            rate.value,
            "; ".join(text for text in (rate.interval or rate.why, _change(rate)) if text),
            target,
            rate.verdict.key,
        ),
        Tile(
            "Agreement \u03b1, 28 days", alpha.value, alpha.interval or alpha.why, alpha.verdict.word, alpha.verdict.key
        ),
        Tile("Audited, 28 days", words.count(audited), share, "random and targeted"),
        Tile("Decisions, 28 days", words.count(human), "by people", f"{words.count(model)} by models"),
    ]


def _change(figure: Figure) -> str:
    """Change against the 28 days before; called clear only when the two intervals do not touch."""
    now, before = figure.current, figure.before
    if now is None or before is None or now.estimate is None or before.estimate is None:
        return ""
    change = now.estimate - before.estimate
    text = f"{words.points(change)} against the 28 days before"
    ends = (now.low, now.high, before.low, before.high)
    if any(end is None for end in ends):
        return text
    is_clear = (now.low or 0) > (before.high or 0) or (now.high or 0) < (before.low or 0)
    return text if is_clear else f"no clear change ({words.points(change)})"
