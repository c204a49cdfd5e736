"""A home's first configuration, drafted from what an import saw, and its extension by what is new.

What markets.toml and targets.toml say, and when a file is written at all, belongs here; the taxonomy is
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


def plan_config(home: Home, *, seen: Seen, extend: bool) -> ConfigPlan:
    """Decide what the config folder needs after an import; nothing is written.

    A file that is missing is drafted; one that is there stays as it is, unless `extend`, which adds unknown markets,
    queues and labels to its text. Raises ConfigError when an existing file is not valid or cannot be added to.
    """
    plan = ConfigPlan()
    paths = {name: home.config / f"{name}.toml" for name in ("markets", "taxonomy", "targets")}
    is_new = not paths["markets"].exists() and not paths["taxonomy"].exists()
    if paths["markets"].exists() and paths["taxonomy"].exists():
        load_config(home)
    _plan_markets(paths["markets"], plan, seen=seen, extend=extend)
    plan_taxonomy(paths["taxonomy"], plan, seen=seen, extend=extend)
    if is_new and plan.files and not paths["targets"].exists():
        plan.files["targets.toml"] = _TARGETS
        plan.notes.append(f"Drafted {paths['targets']} with common starting points: set your own targets.")
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
