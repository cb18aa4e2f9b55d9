"""The built-in authenticators: who somebody is, by their credentials."""
