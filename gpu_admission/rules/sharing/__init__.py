"""1xx: sharing one GPU."""
