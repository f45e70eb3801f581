"""2xx: where the pod is placed."""
