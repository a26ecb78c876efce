"""The parts of `Logger`: bound keys, formatters, exceptions, records held back, processors, and the set-up of a process."""
