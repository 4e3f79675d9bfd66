"""`maskwatch bench`: how fast this machine is, measured with the code and the processes that do the work."""
