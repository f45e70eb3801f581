"""What Kubernetes objects look like: kinds, pods, containers and GPU resource names. Pure."""
