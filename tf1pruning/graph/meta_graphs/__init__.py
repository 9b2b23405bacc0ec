"""Meta graphs from and to files: checked, given one form, with their signatures."""
