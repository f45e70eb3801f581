"""The pure core: no I/O, clock, environment, logging or framework."""
