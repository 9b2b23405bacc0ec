"""Files for those who run a network: one module and one `Format` per format."""
