"""Plots as numbers that templates draw: figures in, places in percent of the width out. Pure; no markup."""
