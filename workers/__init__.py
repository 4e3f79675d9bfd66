"""From frames to people, verdicts and counts."""
