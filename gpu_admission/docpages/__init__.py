"""Generated documentation: the rule catalogue, the backends' page, explanations on a terminal. Pure."""
