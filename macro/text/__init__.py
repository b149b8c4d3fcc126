"""A file's text as a template, and edits as text."""
