"""What does the jobs: RQ's workers, what recurs, and each kind of job."""
