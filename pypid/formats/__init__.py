"""Formats that clients, other indexes and old programs send and read: bytes in, values out, no Twisted."""
