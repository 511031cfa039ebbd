"""The text part of similarity: a request's text in, a short vector of small integers out. Never a score."""
