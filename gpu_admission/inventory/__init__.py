"""The holders of GPUs: from nodes, pods, claims, slices and devices as JSON to an inventory (pure)."""
