"""Export formats: fields and batches of columns in, bytes of one format out."""
