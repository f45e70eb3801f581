"""A policy as the rules see it, and whom it exempts. Pure."""
