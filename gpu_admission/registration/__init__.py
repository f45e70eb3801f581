"""Objects to register in a cluster: webhook configurations, matchConditions, RBAC, in-tree policies. Pure."""
