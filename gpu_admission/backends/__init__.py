"""Sharing backends, one module each: parse their requests, emit them, refuse with a reason."""
