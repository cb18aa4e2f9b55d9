"""What pages show, derived from a storage and kept at hand."""
