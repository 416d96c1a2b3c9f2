"""A folder of its own for the file that Slicer loads: see `register`."""
