"""Build runs from their files: list, group, date and judge them."""
