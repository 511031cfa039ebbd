"""The command line: words typed go in, tables, bars and JSON come out. It computes nothing itself."""
