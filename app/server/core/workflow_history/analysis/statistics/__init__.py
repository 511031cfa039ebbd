"""What runs add up to, by what they have in common: columns in, figures out. No file, SQL or clock."""
