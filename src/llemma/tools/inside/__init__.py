"""What runs inside the sandbox: a warm server that forks, and the child that runs one program.

These modules import the standard library alone and each other by relative imports, because inside the sandbox the rest
of the toolkit does not exist.
"""
