"""Every question that can be asked of a history, and its typed answer: the one place for Python, CLI and web.

Answers are frozen dataclasses: money in US dollars, time in seconds, None for what is unknown, never 0.
`to_json` gives any of them as JSON, with the `schema_version` of their shape.
"""
