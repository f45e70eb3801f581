"""Whatever talks to a Kubernetes cluster."""
