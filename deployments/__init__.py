"""How the flows are deployed: on one machine, in containers, on many."""
