"""A template and what is known of its stack -> edits, grants, problems: what runs in Lambda."""

__version__ = "0.1.0"
