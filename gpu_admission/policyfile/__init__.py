"""Policy files: schema, loading, and errors that name the line and the nearest valid word."""
