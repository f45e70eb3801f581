"""Policies and their exemptions, as the rules use them. Pure."""
