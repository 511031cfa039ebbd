"""The command line interface: arguments in, tables, bars and JSON out. It calculates nothing itself."""
