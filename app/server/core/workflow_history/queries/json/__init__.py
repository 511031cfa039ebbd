"""The JSON form of every answer, and its schema."""
