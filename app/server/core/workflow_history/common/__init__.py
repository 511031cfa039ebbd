"""The ground: records, errors, filters and values that every layer uses."""
