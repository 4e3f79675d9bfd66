"""Answers from the record: how many wore a mask, who didn't, and when; as pages, as an API and as a report."""
