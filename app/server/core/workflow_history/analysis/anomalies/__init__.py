"""Anomaly detection: regressions, improvements, outliers and budgets from columns of runs. Pure.

Nothing here reads the clock: the caller passes the recent window and the budget periods.
"""
