"""Datasets: from an archive of images to batches on the device."""
