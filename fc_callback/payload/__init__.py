"""What a function's parameters ask for, and the one gate that validates it."""
