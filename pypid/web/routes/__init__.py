"""The routes: the URLs of this server, and the functions that answer them."""
