"""Everything of Shoal that can be killed is, while it works; in the end it is counted what became of the work."""
