"""0xx: the request itself."""
