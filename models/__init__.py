"""Each network: its architecture, its pre- and post-processing, its weights and their checksums."""
