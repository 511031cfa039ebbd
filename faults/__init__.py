"""What becomes of a history when things go wrong: faults in, a table of what was survived out."""
