"""Generated documentation: the rule catalogue, the page of the backends, explanations on a terminal. Pure."""
