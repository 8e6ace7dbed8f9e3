"""Files of `bloodcell.data.known_sources`, one a public set."""
