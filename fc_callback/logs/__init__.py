"""The parts of the logger: what is bound, how a record is written, how an exception is told, what is held back."""
