"""`qa-pipeline run` from its options to its summary: plan, walk with a progress bar, read, print."""

from datetime import UTC, date, datetime

from qa_pipeline import landing, nights, printing, state
from qa_pipeline.config import load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.instance import settle
from qa_pipeline.progress import day_bar
from qa_pipeline.review_sample import newest_sample
from qa_pipeline.settings import Home
from qa_pipeline.warehouse import working

WORST_QUEUES = 5
# Besides the days: rebuilding facts and tallies; marts, pages and the published warehouse.
_FINAL_STEPS = 2


def run_home(home: Home, *, start: date | None, end: date | None, force: bool) -> bool:
    """Run what is due and print a summary; False when something was stopped.

    Raises QaError (usage, configuration, a home that cannot be written, another run under way) before anything ran.
    """
    state.check_home(home)
    config = load_config(home)
    settle(home)
    with nights.only_run(home):
        plan = nights.plan_run(home, config=config, start=start, end=end, force=force)
        with day_bar("starting", total=len(plan.days) + _FINAL_STEPS) as bar:
            done = nights.walk(home, plan=plan, force=force, step=bar)
        days = list(plan.days)
        with working(home, config) as con:
            feeds = [state.loaded_rows(con, feed=feed, days=days) for feed in FEEDS]
            unreadable = [hold for hold in state.unreadable_files(con) if hold.business_date in plan.days]
            reasons = state.quarantine_reasons(con, days=days)
            remarked = [hold for hold in state.remarked_files(con) if hold.business_date in plan.days]
            missing = state.days_without(con, days=days)
            ahead = state.ahead_of_clock(con, home=home, today=datetime.now(UTC).date())
            worst = state.worst_defect_rates(con, limit=WORST_QUEUES) if done.is_published else []
            sample = newest_sample(con, reports=home.reports) if done.is_published else None
    printing.print_run(
        printing.console(),
        home=home,
        plan=plan,
        done=done,
        feeds=feeds,
        missing=missing,
        unreadable=unreadable,
        remarked=remarked,
        quarantined=reasons,
        strays=[str(reason) for _, _, reason in landing.misplaced(home)],
        ahead=ahead,
        worst=worst,
        sample=sample,
    )
    return not done.failures
