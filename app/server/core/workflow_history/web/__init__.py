"""Web server of the history: HTML pages, a REST API and server-sent events in one process.

It calls the same queries as the command line and makes no decisions about runs of its own.
"""
