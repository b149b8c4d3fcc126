"""A template as data."""
