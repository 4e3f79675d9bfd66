"""Everything between the processes: the frame queue, who holds which camera, counts, and who is alive."""
