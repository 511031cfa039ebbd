"""One module per command: query the history and pass the result to `render`. No layout here."""
