"""What the rooms pass around: values, and the invocation they belong to. No I/O."""
