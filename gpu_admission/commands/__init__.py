"""The composition root: argument parsers that hand over to one shell each."""
