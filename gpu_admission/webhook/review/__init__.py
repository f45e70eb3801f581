"""Deciding one AdmissionReview: bytes in, bytes out. No I/O."""
