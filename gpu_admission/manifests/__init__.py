"""Reading what people wrote: YAML and JSON as Kubernetes reads them, and policy files."""
