"""A policy derived from a cluster, and the differences between a policy and a cluster."""
