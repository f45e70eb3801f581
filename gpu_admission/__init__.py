"""GPU resource rules for Kubernetes: one engine behind an admission webhook and a linter."""

__version__ = "0.2.0"
