"""The built-in access policies, which decide who may do what."""
