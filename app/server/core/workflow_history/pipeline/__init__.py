"""The parts of a sync: what it is told, how runs are merged, related and learnt from. Called by sync.py."""
