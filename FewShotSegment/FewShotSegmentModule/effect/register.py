"""Makes the effect known to Slicer's Segment Editors."""

import logging
import os

import slicer

NAME = "FewShotPropagate"
"""Of the effect; scripts select it by this, so it is not translated."""

# Slicer names the Python module after the folder of the file, whatever package it lies in. Hence a folder of its own:
# with another extension's folder of the same name, one of the two would get the other's effect.
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "FewShotPropagateEffect", "SegmentEditorEffect.py")


def makeEffect():
    """A new instance of the effect, as Slicer's editors hold it; None if Slicer cannot load it (its log says why)."""
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    # Slicer puts the path into a Python string, where backslashes would be escapes
    return effect if effect.setPythonSource(SOURCE.replace("\\", "/")) else None


def isRegistered():
    """Whether Slicer knows the effect."""
    effects = slicer.qSlicerSegmentEditorEffectFactory.instance().registeredEffects()
    return any(effect.name == NAME for effect in effects)


def registerEffect():
    """Make the effect known; editors that are open show it at once.

    Returns:
        Whether it is known now. Without it the panel works all the same.
    """
    if not isRegistered():
        effect = makeEffect()
        if effect is None:
            logging.error("FewShotSegment: the Segment Editor effect could not be loaded from %s", SOURCE)
            return False
        effect.self().register()
    return isRegistered()
