"""4xx: claims, the GPUs of dynamic resource allocation."""
