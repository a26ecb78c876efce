"""One task, from the event to the report."""
