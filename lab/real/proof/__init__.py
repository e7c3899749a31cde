"""What must be seen at the end: each claim with its evidence, asked of the lab and of clients on the LAN."""
