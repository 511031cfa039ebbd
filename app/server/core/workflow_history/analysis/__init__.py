"""What is derived from runs: pure functions of records."""
