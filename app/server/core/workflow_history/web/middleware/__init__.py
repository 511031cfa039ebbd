"""ASGI middleware of the web server."""
