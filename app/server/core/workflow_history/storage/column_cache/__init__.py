"""Cache of packed columns, for statistics over all runs."""
