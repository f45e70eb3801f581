"""gpu-lint and the offline half of gpu-admission: inputs, reports, edits."""
