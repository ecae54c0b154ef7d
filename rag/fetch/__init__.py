"""Bytes from the network: politely, from safe addresses, bounded in size and time. Knows no library."""
