"""Jobs on the site: uploads, progress and results, as pages and as an API."""
