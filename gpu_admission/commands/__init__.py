"""The composition root: argument parsers, each of which calls one package."""
