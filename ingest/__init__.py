"""From a camera to frames in the queue."""
