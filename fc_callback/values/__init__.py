"""The values that the rooms pass to each other: context, token, task, invocation. No I/O."""
