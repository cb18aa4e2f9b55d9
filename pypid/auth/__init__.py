"""The built-in authenticators, which find the user of given credentials."""
