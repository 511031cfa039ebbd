"""Find runs and sessions: one module for each source, and the registry of all."""
