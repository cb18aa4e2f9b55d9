"""The HTTP side: what arrives is validated, routed, and answered with what the index knows."""
