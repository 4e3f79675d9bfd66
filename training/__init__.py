"""From labelled pictures to a model and its report."""
