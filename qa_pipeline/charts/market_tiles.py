"""The numbers at the top of a market's page. Figures in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.naming import ALL
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.reading import Volume
from qa_pipeline.charts.standing import Count, counts


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page with two lines under it."""

    label: str
    value: str
    detail: str
    note: str


def tiles(overview: Overview, *, market: str, volumes: Sequence[Volume]) -> list[Tile]:
    """Each figure that there is over all queues of the market, newest 28 days, then audits and decisions."""
    found = []
    for count in counts(overview, market=market):
        figure = overview.figures(count.measure)[market, ALL]
        if figure.current is not None and figure.current.estimate is not None:
            found.append(_figure_tile(figure, count))
    last = overview.span.last
    recent = [volume for volume in volumes if 0 <= (last - volume.day).days < 28]
    human, audited = sum(volume.human for volume in recent), sum(volume.reviewed for volume in recent)
    model = sum(volume.model for volume in recent)
    if audited:
        share = f"{words.percent(audited / human)} of human decisions" if human else ""
        found.append(Tile("Audited, 28 days", words.count(audited), share, "random and targeted"))
    if human or model:
        by_models = f"{words.count(model)} by models" if model else ""
        found.append(Tile("Decisions, 28 days", words.count(human), "by people", by_models))
    return found


def _figure_tile(figure: Figure, count: Count) -> Tile:
    detail = "; ".join(text for text in (figure.interval or figure.why, _change(figure)) if text)
    parts = [f"{number} {verdict.word}" for verdict, number in count.shown]
    return Tile(f"{count.measure.title}, 28 days", figure.value, detail, f"Queues: {', '.join(parts)}")


def _change(figure: Figure) -> str:
    """Change against the 28 days before; called clear only when the two intervals do not touch."""
    now, before = figure.current, figure.before
    if now is None or before is None or now.estimate is None or before.estimate is None:
        return ""
    change = now.estimate - before.estimate
    moved = words.points(change) if figure.measure.is_share else words.signed(change)
    text = f"{moved} against the 28 days before"
    ends = (now.low, now.high, before.low, before.high)
    if any(end is None for end in ends):
        return text
    is_clear = (now.low or 0) > (before.high or 0) or (now.high or 0) < (before.low or 0)
    return text if is_clear else f"no clear change ({moved})"
