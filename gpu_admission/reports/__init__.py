"""Findings and rules rendered as text: reports, documents, configurations."""
