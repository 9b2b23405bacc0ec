"""Models of any kind on disk, read and traced."""
