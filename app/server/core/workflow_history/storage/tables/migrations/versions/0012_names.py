"""Call the columns of views as those of exported tables, and keep lower bounds apart from recorded costs."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OLD = {
    "runs": """
        SELECT w.key, w.project, w.id, w.status, w.nl_input, w.created_at, w.duration_seconds,
               w.issue_number, w.issue_class, w.workflow_template, w.model_used, w.branch_name,
               w.total_cost_nanodollars / 1000000000.0 AS total_cost_usd,
               w.cost_basis,
               w.lower_bound_cost_nanodollars / 1000000000.0 AS lower_bound_cost_usd,
               w.computed_cost_nanodollars / 1000000000.0 AS computed_cost_usd,
               w.total_tokens, w.unpriced_tokens, w.retry_count,
               w.retry_cost_nanodollars / 1000000000.0 AS retry_cost_usd,
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
    "spend_by_phase": """
        SELECT phase, COUNT(DISTINCT workflow_key) AS workflows, COUNT(*) AS agent_runs,
               SUM(cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(lower_bound_cost_nanodollars) / 1000000000.0 AS lower_bound_cost_usd,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens,
               SUM(unpriced_tokens) AS unpriced_tokens,
               SUM(duration_seconds) AS seconds
        FROM agent_runs
        GROUP BY phase
        ORDER BY cost_usd DESC NULLS LAST, phase
    """,
    "spend_by_agent": """
        SELECT agent, phase, COUNT(DISTINCT workflow_key) AS workflows, COUNT(*) AS agent_runs,
               SUM(cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(lower_bound_cost_nanodollars) / 1000000000.0 AS lower_bound_cost_usd,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens,
               SUM(unpriced_tokens) AS unpriced_tokens,
               SUM(duration_seconds) AS seconds
        FROM agent_runs
        GROUP BY agent, phase
        ORDER BY cost_usd DESC NULLS LAST, agent, phase
    """,
    # An agent run whose share by model is unknown counts under its own, costliest model.
    "spend_by_model": """
        SELECT model, COUNT(DISTINCT workflow_key) AS workflows, COUNT(*) AS agent_runs,
               SUM(cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(computed_cost_nanodollars) / 1000000000.0 AS computed_cost_usd,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens
        FROM (
            SELECT workflow_key, model, cost_nanodollars, computed_cost_nanodollars,
                   input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens
            FROM model_usage
            UNION ALL
            SELECT a.workflow_key, a.model, a.cost_nanodollars, a.computed_cost_nanodollars,
                   a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_creation_tokens
            FROM agent_runs AS a
            WHERE NOT EXISTS (
                SELECT 1 FROM model_usage AS m
                WHERE m.workflow_key = a.workflow_key AND m.agent_ordinal = a.ordinal
            )
        ) AS shares
        GROUP BY model
        ORDER BY cost_usd DESC NULLS LAST, model
    """,
    "spend_by_day": """
        SELECT SUBSTR(COALESCE(created_at, started_at, completed_at), 1, 10) AS day_utc,
               COUNT(*) AS workflows,
               SUM(total_cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(total_tokens) AS total_tokens,
               SUM(duration_seconds) AS seconds
        FROM workflows
        GROUP BY SUBSTR(COALESCE(created_at, started_at, completed_at), 1, 10)
        ORDER BY day_utc
    """,
    "recurring_patterns": """
        SELECT p.key, p.id, p.kind, p.signature, p.status, p.note, p.first_seen_at,
               p.runs AS workflows,
               p.count AS times,
               p.successes * 1.0 / NULLIF(p.successes + p.failures, 0) AS success_share,
               CASE WHEN p.runs > p.unpriced_runs THEN p.cost_nanodollars / 1000000000.0 END AS cost_usd,
               CASE WHEN p.runs > p.untimed_runs THEN p.milliseconds / 1000.0 END AS seconds
        FROM patterns AS p
        WHERE p.runs > 1
        ORDER BY workflows DESC, times DESC, p.kind, p.signature
    """,
    "unreadable": """
        SELECT p.severity, p.agents_dir, p.path, p.line, p.reason, w.project, w.id AS workflow_id
        FROM problems AS p
        LEFT JOIN workflows AS w ON w.key = p.workflow_key
        ORDER BY p.severity, p.agents_dir, p.path, p.line
    """,
}

_NEW = {
    "runs": """
        SELECT w.key, w.project, w.id, w.status, w.nl_input, w.created_at, w.duration_seconds,
               w.issue_number, w.issue_class, w.workflow_template, w.model_used, w.branch_name,
               CASE WHEN b.key IS NULL THEN w.total_cost_nanodollars END / 1000000000.0 AS total_cost,
               w.cost_basis,
               CASE WHEN b.key IS NULL THEN w.lower_bound_cost_nanodollars ELSE w.total_cost_nanodollars END
                   / 1000000000.0 AS lower_bound_cost,
               w.computed_cost_nanodollars / 1000000000.0 AS computed_cost,
               w.total_tokens, w.unpriced_tokens, w.retry_count,
               w.retry_cost_nanodollars / 1000000000.0 AS retry_cost,
               w.nl_clarity_score, w.cost_efficiency_score, w.performance_score, w.quality_score,
               w.bottleneck_phase, w.error_message, w.source_state,
               COALESCE(a.agent_runs, 0) AS agent_runs,
               COALESCE(o.patterns, 0) AS patterns
        FROM workflows AS w
        LEFT JOIN (
            SELECT key FROM workflows AS x
            WHERE x.cost_basis = 'lower_bound' AND x.lower_bound_cost_nanodollars IS NULL AND NOT EXISTS (
                SELECT 1 FROM agent_runs AS r
                WHERE r.workflow_key = x.key AND r.cost_basis IN ('reported', 'computed')
            )
        ) AS b ON b.key = w.key
        LEFT JOIN (SELECT workflow_key, COUNT(*) AS agent_runs FROM agent_runs GROUP BY workflow_key) AS a
               ON a.workflow_key = w.key
        LEFT JOIN (SELECT workflow_key, COUNT(*) AS patterns FROM occurrences GROUP BY workflow_key) AS o
               ON o.workflow_key = w.key
    """,
    "spend_by_phase": """
        SELECT phase, COUNT(DISTINCT workflow_key) AS runs, COUNT(*) AS agent_runs,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN cost_nanodollars END)
                   / 1000000000.0 AS cost,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN lower_bound_cost_nanodollars
                        ELSE COALESCE(cost_nanodollars + lower_bound_cost_nanodollars, cost_nanodollars,
                                      lower_bound_cost_nanodollars) END)
                   / 1000000000.0 AS lower_bound_cost,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens,
               SUM(unpriced_tokens) AS unpriced_tokens,
               SUM(duration_seconds) AS duration_seconds
        FROM agent_runs
        GROUP BY phase
        ORDER BY cost DESC NULLS LAST, phase
    """,
    "spend_by_agent": """
        SELECT agent, phase, COUNT(DISTINCT workflow_key) AS runs, COUNT(*) AS agent_runs,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN cost_nanodollars END)
                   / 1000000000.0 AS cost,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN lower_bound_cost_nanodollars
                        ELSE COALESCE(cost_nanodollars + lower_bound_cost_nanodollars, cost_nanodollars,
                                      lower_bound_cost_nanodollars) END)
                   / 1000000000.0 AS lower_bound_cost,
               SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
               SUM(cache_read_tokens) AS cache_read_tokens,
               SUM(cache_creation_tokens) AS cache_creation_tokens,
               SUM(unpriced_tokens) AS unpriced_tokens,
               SUM(duration_seconds) AS duration_seconds
        FROM agent_runs
        GROUP BY agent, phase
        ORDER BY cost DESC NULLS LAST, agent, phase
    """,
    # An agent run whose share by model is unknown counts under its own, costliest model.
    "spend_by_model": """
        SELECT model, COUNT(DISTINCT workflow_key) AS runs, COUNT(*) AS agent_runs,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN cost_nanodollars END)
                   / 1000000000.0 AS cost,
               SUM(CASE WHEN cost_basis IN ('reported', 'computed') THEN lower_bound_cost_nanodollars
                        ELSE COALESCE(cost_nanodollars + lower_bound_cost_nanodollars, cost_nanodollars,
                                      lower_bound_cost_nanodollars) END)
                   / 1000000000.0 AS lower_bound_cost,
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
    """,
    "spend_by_day": """
        SELECT SUBSTR(COALESCE(w.created_at, w.started_at, w.completed_at), 1, 10) AS day_utc,
               COUNT(*) AS runs,
               SUM(CASE WHEN b.key IS NULL THEN w.total_cost_nanodollars END) / 1000000000.0 AS cost,
               SUM(CASE WHEN b.key IS NULL THEN w.lower_bound_cost_nanodollars
                        ELSE w.total_cost_nanodollars END)
                   / 1000000000.0 AS lower_bound_cost,
               SUM(w.total_tokens) AS total_tokens,
               SUM(w.duration_seconds) AS duration_seconds
        FROM workflows AS w
        LEFT JOIN (
            SELECT key FROM workflows AS x
            WHERE x.cost_basis = 'lower_bound' AND x.lower_bound_cost_nanodollars IS NULL AND NOT EXISTS (
                SELECT 1 FROM agent_runs AS r
                WHERE r.workflow_key = x.key AND r.cost_basis IN ('reported', 'computed')
            )
        ) AS b ON b.key = w.key
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


def upgrade() -> None:
    """Make every view anew."""
    _make(_NEW)


def downgrade() -> None:
    """Make every view as it was."""
    _make(_OLD)


def _make(views: dict[str, str]) -> None:
    for name, query in views.items():
        op.execute(f"DROP VIEW {name}")
        op.execute(f"CREATE VIEW {name} AS {query}")
