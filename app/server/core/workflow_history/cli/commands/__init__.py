"""One file per command: it asks the history and hands what comes back to `render`. No layout in here."""
