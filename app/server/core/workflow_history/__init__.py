"""A lasting history of AI developer workflow runs."""
