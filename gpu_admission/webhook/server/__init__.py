"""From socket to decision: connections, limits, workers, draining."""
