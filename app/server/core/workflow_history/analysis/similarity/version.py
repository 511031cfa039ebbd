"""Which version of the weights and the cutting made a vector. Costs nothing to import."""

MODEL_VERSION = "words-1"
"""Changes whenever a text could get another vector: vectors of other versions are made anew."""
