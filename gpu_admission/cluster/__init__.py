"""Everything that communicates with a Kubernetes cluster."""
