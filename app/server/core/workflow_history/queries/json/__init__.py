"""Convert query results to JSON and generate their JSON Schemas."""
