"""Version of the word weights and the tokenizer behind stored vectors. Cheap to import."""

MODEL_VERSION = "words-1"
"""Changes whenever the vector of a text could change: vectors of other versions are recomputed."""
