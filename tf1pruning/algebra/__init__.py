"""Linear algebra of repair: moments of data, least squares; arrays in, arrays out."""
