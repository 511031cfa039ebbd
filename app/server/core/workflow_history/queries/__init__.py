"""All queries of a history and their typed results, shared by the Python API, the CLI and the web.

Results are frozen dataclasses: money in US dollars, time in seconds, and None, never 0, for unknown values.
`to_json` converts each of them to JSON with its `schema_version`.
"""
