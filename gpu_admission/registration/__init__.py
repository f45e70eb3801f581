"""What a cluster is told: webhook configurations, matchConditions, RBAC. Pure."""
