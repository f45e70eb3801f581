"""Policy files: schema, loading, and errors with the line and the nearest valid word."""
