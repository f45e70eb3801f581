"""3xx: GPUs that nobody requested."""
