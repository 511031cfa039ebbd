"""Current database views: their descriptions and their SQL, the same on SQLite and PostgreSQL.

Columns have the same names as in the exportable tables. Costs are recorded costs in US dollars; the lower
bound of unrecorded costs has its own column, `lower_bound_cost`.
"""

_AMOUNT_COLUMNS = (
    "cost_basis", "cost_nanodollars", "lower_bound_cost_nanodollars", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "unpriced_tokens", "duration_seconds",
)  # fmt: skip

_IS_RECORDED = "CASE WHEN cost_basis IN ('reported', 'computed') THEN"
_RECORDED = f"SUM({_IS_RECORDED} cost_nanodollars END) / 1000000000.0"
_LOWER_BOUND = f"""SUM({_IS_RECORDED} lower_bound_cost_nanodollars
                        ELSE COALESCE(cost_nanodollars + lower_bound_cost_nanodollars, cost_nanodollars,
                                      lower_bound_cost_nanodollars) END) / 1000000000.0"""


def _spend_by(group_columns: str) -> str:
    """Return the SQL of costs by agent or phase, with agents without a stream and without copies of runs."""
    is_lower_bound = "cost_basis IN ('lower_bound', 'unpriced') OR lower_bound_cost_nanodollars IS NOT NULL"
    amounts = ", ".join(_AMOUNT_COLUMNS)
    no_amounts = ", ".join(
        "duration_seconds" if name == _AMOUNT_COLUMNS[-1] else "NULL" for name in _AMOUNT_COLUMNS
    )
    return f"""
        SELECT {group_columns}, COUNT(DISTINCT workflow_key) AS runs,
               COUNT(DISTINCT
                     CASE WHEN has_stream = 0 OR {is_lower_bound} THEN workflow_key END) AS runs_costing_more,
               SUM(has_stream) AS agent_runs,
               {_RECORDED} AS cost,
               {_LOWER_BOUND} AS lower_bound_cost,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens,
               SUM(unpriced_tokens) AS unpriced_tokens,
               SUM(duration_seconds) AS duration_seconds
        FROM (
            SELECT workflow_key, agent, phase, 1 AS has_stream, {amounts} FROM agent_runs
            UNION ALL
            SELECT workflow_key, agent, phase, 0 AS has_stream, {no_amounts} FROM silent_agents
        ) AS agents
        WHERE workflow_key NOT IN (SELECT key FROM workflows WHERE copy_of IS NOT NULL)
        GROUP BY {group_columns}
        ORDER BY cost DESC NULLS LAST, {group_columns}
    """  # noqa: S608 - names, no values


VIEW_COLUMNS = {
    "runs": "one row per run: costs in US dollars, number of agent runs and of patterns",
    "spend_by_phase": "cost of each phase in all runs except copies, in US dollars, highest first",
    "spend_by_agent": "cost of each agent and phase in all runs except copies, in US dollars, highest first",
    "spend_by_model": "cost of each model in all runs, in US dollars, highest first",
    "spend_by_day": "cost of the runs of each day (UTC), in US dollars, without copies",
    "recurring_patterns": "patterns in two or more runs, by number of runs, highest first",
    "unreadable": "problems of reading at the last sync of each agents directory, errors first",
}

VIEW_SQL = {
    "runs": """
        SELECT w.key, w.project, w.id, w.status, w.nl_input, w.created_at, w.duration_seconds,
               w.issue_number, w.issue_class, w.workflow_template, w.model_used, w.branch_name,
               w.pull_request,
               w.recorded_cost_nanodollars / 1000000000.0 AS total_cost,
               w.cost_basis,
               w.lower_bound_cost_nanodollars / 1000000000.0 AS lower_bound_cost,
               w.copy_of,
               w.computed_cost_nanodollars / 1000000000.0 AS computed_cost,
               w.total_tokens, w.unpriced_tokens, w.retry_count,
               w.retry_cost_nanodollars / 1000000000.0 AS retry_cost,
               w.nl_clarity_score, w.cost_efficiency_score, w.performance_score, w.quality_score,
               w.bottleneck_phase, w.error_message, w.source_state,
               COALESCE(a.agent_runs, 0) AS agent_runs,
               COALESCE(o.patterns, 0) AS patterns
        FROM workflows AS w
        LEFT JOIN (SELECT workflow_key, COUNT(*) AS agent_runs FROM agent_runs GROUP BY workflow_key) AS a
               ON a.workflow_key = w.key
        LEFT JOIN (SELECT workflow_key, COUNT(*) AS patterns FROM occurrences GROUP BY workflow_key) AS o
               ON o.workflow_key = w.key
    """,
    "spend_by_phase": _spend_by("phase"),
    "spend_by_agent": _spend_by("agent, phase"),
    # An agent run without a split by model counts under its own model, the most expensive one.
    "spend_by_model": f"""
        SELECT model, COUNT(DISTINCT workflow_key) AS runs, COUNT(*) AS agent_runs,
               {_RECORDED} AS cost,
               {_LOWER_BOUND} AS lower_bound_cost,
               SUM(computed_cost_nanodollars) / 1000000000.0 AS computed_cost,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens
        FROM (
            SELECT workflow_key, model, cost_basis, cost_nanodollars, lower_bound_cost_nanodollars,
                   computed_cost_nanodollars,
                   input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens
            FROM model_usage
            UNION ALL
            SELECT a.workflow_key, a.model, a.cost_basis, a.cost_nanodollars, a.lower_bound_cost_nanodollars,
                   a.computed_cost_nanodollars,
                   a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_creation_tokens
            FROM agent_runs AS a
            WHERE NOT EXISTS (
                SELECT 1 FROM model_usage AS m
                WHERE m.workflow_key = a.workflow_key AND m.agent_ordinal = a.ordinal
            )
        ) AS shares
        GROUP BY model
        ORDER BY cost DESC NULLS LAST, model
    """,  # noqa: S608 - names, no values
    "spend_by_day": """
        SELECT SUBSTR(COALESCE(w.created_at, w.started_at, w.completed_at), 1, 10) AS day_utc,
               COUNT(*) AS runs,
               SUM(w.recorded_cost_nanodollars) / 1000000000.0 AS cost,
               SUM(w.lower_bound_cost_nanodollars) / 1000000000.0 AS lower_bound_cost,
               SUM(w.total_tokens) AS total_tokens,
               SUM(w.duration_seconds) AS duration_seconds
        FROM workflows AS w
        WHERE w.copy_of IS NULL
        GROUP BY SUBSTR(COALESCE(w.created_at, w.started_at, w.completed_at), 1, 10)
        ORDER BY day_utc
    """,
    "recurring_patterns": """
        SELECT p.key, p.id, p.kind, p.signature, p.status, p.note, p.first_seen_at, p.runs, p.count,
               p.successes * 1.0 / NULLIF(p.successes + p.failures, 0) AS success_rate,
               CASE WHEN p.runs > p.unpriced_runs THEN p.cost_nanodollars / 1000000000.0 END AS cost,
               CASE WHEN p.runs > p.untimed_runs THEN p.milliseconds / 1000.0 END AS duration_seconds
        FROM patterns AS p
        WHERE p.runs > 1
        ORDER BY p.runs DESC, p.count DESC, p.kind, p.signature
    """,
    "unreadable": """
        SELECT p.severity, p.agents_dir, p.path, p.line, p.reason, w.project, w.id AS run_id
        FROM problems AS p
        LEFT JOIN workflows AS w ON w.key = p.workflow_key
        ORDER BY p.severity, p.agents_dir, p.path, p.line
    """,
}
