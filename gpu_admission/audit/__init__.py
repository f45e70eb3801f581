"""Existing objects of a cluster under the rules of admission: what these would deny, repair and warn of, by owner."""
