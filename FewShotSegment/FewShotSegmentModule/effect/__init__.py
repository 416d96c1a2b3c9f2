"""“Few-shot propagate”, an effect of the Segment Editor, for those who live there: the panel's work in five controls.

`register` makes it known to Slicer; `FewShotPropagateEffect/SegmentEditorEffect.py` is what Slicer loads; `options` are
its controls; `session` is what it does, without Qt; `editor` lets `scene.commit` write through it.
"""
