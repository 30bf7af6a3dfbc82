"""Files for other runtimes, opened and asked before they take their place."""
