"""A home's first configuration, drafted from what an import saw, and its extension by what is new.

What markets.toml, targets.toml and quality.toml say, and when a file is written at all, belongs here; the taxonomy is
`taxonomy_draft`'s business, checking is `config`'s, country facts are `countries`', and how text is added to a user's
file is `toml_text`'s.
"""

from pathlib import Path

from qa_pipeline import toml_text
from qa_pipeline.config import Markets, load_config
from qa_pipeline.config_plan import (
    ConfigPlan,
    Seen,
    checked_text,
    first_notes,
    parse_config,
    read_config,
    unknown_code,
    usable_codes,
)
from qa_pipeline.countries import country_of_market
from qa_pipeline.errors import ConfigError
from qa_pipeline.settings import Home
from qa_pipeline.taxonomy_draft import plan_taxonomy

_MARKETS_HEAD = """\
# Markets: the code as it stands in the data, a name, and the time zone whose local date is a decision's business date.
# Drafted from an import: the zone is that of the country's capital or largest city. Check it.
"""
_TARGETS = """\
# Targets of quality, per market, queue and vendor ("*", the default, stands for every one of them; the most
# specific target counts). Drafted with common starting points, not from your data: set what you promised.
# metric: accuracy, agreement, sla_minutes, utilization or defect_rate.

[[targets]]
metric = "accuracy"
value = 0.95

[[targets]]
metric = "agreement"  # Krippendorff's alpha; 0.667 is his limit for tentative conclusions
value = 0.667

[[targets]]
metric = "defect_rate"
value = 0.05
"""

# Every setting as it holds without the file, so that the draft changes no figure.
_QUALITY = """\
# How quality is counted, controlled, accepted and planned for. Drafted with the values that hold without this file:
# change what your contracts and your operation say.

[severity_weights]
# What a defect of each severity counts in the severity-weighted defects per 1,000 decisions.
critical = 10.0
major = 5.0
minor = 1.0

[baseline]
# Control charts compare with the first so many days with reviews of each series (14 at least), or with fixed dates.
# Until these are over, nothing is judged.
days = 28
# start = 2026-01-01
# end = 2026-01-28

[alarms]
# Of a night's alarms this share may be false, on average.
false_discovery_rate = 0.05

[acceptance]
# Lots: the acceptance quality limit in percent defective (ISO 2859-1: 0.01, 0.015, 0.025, 0.04, 0.065, 0.1, 0.15, 0.25,
# 0.4, 0.65, 1, 1.5, 2.5, 4, 6.5 or 10), of all queues or of one, and the inspection level (S-1 to S-4, I, II or III).
aql_percent = 4.0
level = "II"
# queue_aql_percent = { my_queue = 1.5 }
# The sequential test asks which of these two a lot's share of defects is; without them: the AQL, and 2.5 times it.
# good_share = 0.04
# bad_share = 0.10
producer_risk = 0.05 # chance that a good lot is rejected
consumer_risk = 0.10 # chance that a bad lot is accepted

[planning]
# Tomorrow's random reviews; without reviews_per_day as many as were made a day in the newest 28 days.
# reviews_per_day = 400
annotator_floor = 1 # at least so many of everybody at work
half_width = 0.02 # half of the interval wanted for a queue's defect rate over 28 days
visible_change = 1.5 # the rise that 28 days should show, as a factor on the defect rate
power = 0.8 # with this probability
"""


def plan_config(home: Home, *, seen: Seen, extend: bool) -> ConfigPlan:
    """Decide what the config folder needs after an import; nothing is written.

    A file that is missing is drafted; one that is there stays as it is, unless `extend`, which adds unknown markets,
    queues and labels to its text. Raises ConfigError when an existing file is not valid or cannot be added to.
    """
    plan = ConfigPlan()
    paths = {name: home.config / f"{name}.toml" for name in ("markets", "taxonomy", "targets", "quality")}
    is_new = not paths["markets"].exists() and not paths["taxonomy"].exists()
    if paths["markets"].exists() and paths["taxonomy"].exists():
        load_config(home)
    _plan_markets(paths["markets"], plan, seen=seen, extend=extend)
    plan_taxonomy(paths["taxonomy"], plan, seen=seen, extend=extend)
    if is_new and plan.files and not paths["targets"].exists():
        plan.files["targets.toml"] = _TARGETS
        plan.notes.append(f"Drafted {paths['targets']} with common starting points: set your own targets.")
    if is_new and plan.files and not paths["quality"].exists():
        plan.files["quality.toml"] = _QUALITY
        plan.notes.append(f"Drafted {paths['quality']} with the values that hold without it: set what you agreed on.")
    return plan


def write_plan(home: Home, plan: ConfigPlan) -> None:
    """Write the planned files, each by an atomic rename. Raises ConfigError when the folder cannot be written."""
    for name, text in plan.files.items():
        path = home.config / name
        temporary = path.with_suffix(".toml.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as err:
            message = f"{path} cannot be written ({err.strerror}): mend the rights of the folder."
            raise ConfigError(message) from err


def _plan_markets(path: Path, plan: ConfigPlan, *, seen: Seen, extend: bool) -> None:
    text = read_config(path)
    known = {} if text is None else parse_config(path, text, Markets).markets
    plan.time_zones.update({code: market.time_zone for code, market in known.items()})
    new = usable_codes(plan, "market", [code for code in seen.markets if code not in known])
    if text is not None and not extend:
        plan.notes += first_notes([unknown_code("market", code, rows=seen.markets[code], path=path) for code in new])
        return
    tables, told = {}, []
    for code in new:
        name, time_zone, is_country = country_of_market(code)
        plan.time_zones[code] = time_zone
        tables[code] = {"name": name, "time_zone": time_zone}
        told.append(f"{code} ({time_zone}{'' if is_country else ', because it is no country code'})")
    # Never an empty draft: it would be an existing config to the next import, which may not touch it.
    if not tables or (text is None and not seen.has_labels):
        return
    changed = toml_text.with_tables(_MARKETS_HEAD if text is None else text, ("markets",), tables)
    plan.files[path.name] = checked_text(path, changed, Markets, adding=f"the markets {', '.join(new)}")
    plan.notes.append(
        f"{'Drafted' if text is None else 'Extended'} {path}: markets {', '.join(told)}. Check the time "
        "zones: they decide the business date."
    )
