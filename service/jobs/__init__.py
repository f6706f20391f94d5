"""What is left to do, durably: the only package that imports the job engine, and only in `engine`."""
