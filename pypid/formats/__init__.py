"""Bytes in, values out, without Twisted: what clients, other indexes and old programs send and read."""
