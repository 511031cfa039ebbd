"""The project's tests: sentences about real files and a real database."""
