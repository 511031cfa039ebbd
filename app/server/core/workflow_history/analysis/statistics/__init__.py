"""Statistics of runs by group: columns in, statistics out. No file, SQL or clock."""
