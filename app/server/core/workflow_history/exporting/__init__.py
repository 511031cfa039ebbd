"""Rows on their way out of the program: fields and batches of columns in, bytes of one format out."""
