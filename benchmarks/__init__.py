"""Measurements: question, command, machine, result, conclusion."""
