"""The built-in access policies: who may do what."""
