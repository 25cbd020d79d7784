"""What every floor may know: the words of the domain, and the registry of jobs."""
