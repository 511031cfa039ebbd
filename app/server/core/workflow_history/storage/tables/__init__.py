"""Database schema: tables, views, full-text index and migrations."""
