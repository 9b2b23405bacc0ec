"""Files for those who run a network: one module per format.

Each module has `write`, which puts the files of its format into a folder, and
`answers`, which loads them from there again and runs them.
"""
