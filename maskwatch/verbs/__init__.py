"""The verbs that belong to no service: `up` and `check`."""
