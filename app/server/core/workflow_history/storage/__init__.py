"""History database: store and load workflow dicts. Reads no run directories and computes no costs."""
