"""Find the token in an event, validate the payload, build a function's arguments, and encode its result."""
