"""Work in pieces, so that the user interface stays alive.

A function whose name ends in ``Steps`` is a generator: it does a piece of at most about 30 ms, yields, and goes on when
it is asked to; its return value is its result. In the panel a timer asks for the pieces; scripts and tests have no
user interface to keep alive and call `run`.
"""


def run(generator):
    """Do all pieces at once.

    Args:
        generator: that a ``…Steps`` function has returned.

    Returns:
        What the generator returns. What it raises is passed on.
    """
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value
