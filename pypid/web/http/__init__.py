"""HTTP as the index speaks it: connections, requests, bodies and answers."""
