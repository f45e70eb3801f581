"""3xx: access to GPUs without a request."""
