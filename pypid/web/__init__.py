"""The HTTP side: what arrives is vetted, routed, and answered with what the index knows."""
