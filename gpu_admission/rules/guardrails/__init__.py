"""5xx: guardrails, off by default."""
