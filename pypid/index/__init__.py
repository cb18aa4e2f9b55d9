"""The rules of the index: what a name means, what is published, and how it is changed."""
