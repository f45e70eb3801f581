"""Who holds which GPU: pure data in (nodes, pods, claims, slices, devices as JSON), an inventory out."""
