"""The stages of a sync: read, merge, compare and store runs and detect their patterns. Called by sync.py."""
