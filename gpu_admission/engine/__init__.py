"""The Rule type, and the engine that runs rules over one object under one policy. Pure."""
