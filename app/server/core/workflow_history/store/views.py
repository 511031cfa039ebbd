"""The views by name, each with what its rows say; their SQL stands in the migrations."""

VIEWS = {
    "runs": "every run with its costs in US dollars, and how many agent runs and patterns it has",
    "spend_by_phase": "what each phase cost over all runs, costliest first",
    "spend_by_agent": "what each agent cost over all runs, costliest first",
    "spend_by_model": "what each model cost over all runs, costliest first",
    "spend_by_day": "what the runs of each day (UTC) cost",
    "recurring_patterns": "patterns that at least two runs show, the most common first",
    "unreadable": "what could not be read at the last sync of each agents folder",
}
