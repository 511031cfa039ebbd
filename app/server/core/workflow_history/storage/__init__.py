"""The lasting store: workflow dicts go in and come out; nothing here reads run folders or counts costs."""
