"""Runs parts of the package as on a system that lacks some names of this one."""
