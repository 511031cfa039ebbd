"""Make the views: money in US dollars, ready to look at in any SQL browser."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_VIEWS = {
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
        SELECT p.key, p.kind, p.signature, p.status, p.first_seen_at,
               COUNT(*) AS workflows,
               SUM(o.count) AS times,
               SUM(o.successes) * 1.0 / NULLIF(SUM(o.successes) + SUM(o.failures), 0) AS success_share,
               SUM(o.cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(o.seconds) AS seconds
        FROM patterns AS p
        JOIN occurrences AS o ON o.pattern_key = p.key
        GROUP BY p.key, p.kind, p.signature, p.status, p.first_seen_at
        HAVING COUNT(*) >= 2
        ORDER BY workflows DESC, times DESC, p.kind, p.signature
    """,
    "unreadable": """
        SELECT p.severity, p.agents_dir, p.path, p.line, p.reason, w.project, w.id AS workflow_id
        FROM problems AS p
        LEFT JOIN workflows AS w ON w.key = p.workflow_key
        ORDER BY p.severity, p.agents_dir, p.path, p.line
    """,
}


def upgrade() -> None:
    """Make all views; the same SQL holds on SQLite and PostgreSQL."""
    for name, query in _VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    """Drop all views."""
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")
