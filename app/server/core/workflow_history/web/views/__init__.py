"""Convert query results to values for templates: texts, links and charts. Pure."""
