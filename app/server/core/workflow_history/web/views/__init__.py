"""Answers made ready for templates: typed answers in, words, links and drawings out. Pure, asks nothing."""
