"""Where tasks run: in this process, in others, on other machines."""
