"""A policy from what a cluster shows, and what a policy says that the cluster no longer shows."""
