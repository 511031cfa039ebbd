"""What stands between the server and its routes."""
