"""The values that all other modules use: context, token, task, invocation. No I/O."""
