"""What people look at: the site, the streams, the API and the metrics."""
