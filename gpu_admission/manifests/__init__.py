"""Reading of YAML and JSON files as Kubernetes reads them."""
