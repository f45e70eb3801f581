"""Edits of YAML and JSON files that keep every other byte."""
