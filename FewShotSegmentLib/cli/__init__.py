"""The command `fewshotsegment`: a thin shell over the engine."""
