"""`make demo`: one annotated slice of each organ is carried through a volume, measured and drawn.

It needs the optional extra ``demo`` (Matplotlib, Rich, SciPy); the engine never imports it.
"""
