"""Look through a result: how sure it is of each slice, where to draw next, status, volume, comparison."""

import html
import logging
import math

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..scene import confidence, geometry, review
from ..scene.segments import Mask, reader
from .comparison import Comparing
from .facts import factsOf
from .panel import Panel
from .ranges import rangeOf
from .shortcuts import Shortcuts, withKeys
from .stripPlot import ABSENT, CORRECTED, DOUBTFUL, HAND, SURE, UNSURE, StripData, StripPlot, kindText, levelColor

DELAY_MILLISECONDS = 30
"""Scrolling tells of more slices than are worth drawing."""


def statusText(word):
    """What a status is called; as in Slicer's own table of segments."""
    return {
        "not started": _("Not started"),
        "in progress": _("In progress"),
        "completed": _("Completed"),
        "flagged": _("Flagged"),
    }[word]


def _withOneNan(values):
    """Floats; not-a-numbers are one and the same, so that equal data compare as equal."""
    return (math.nan if math.isnan(value) else float(value) for value in values)


class ReviewPanel(Panel):
    """The third section."""

    uiName = "Review"

    def __init__(self, context, layout):
        Panel.__init__(self, context, layout)
        self._facts = factsOf(context)
        self._data = StripData()
        self._doubtful = ()
        self._axis = None
        self._sliceNodes = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MILLISECONDS)
        self._timer.connect("timeout()", context.sliceChanged.emit)
        self.strip = StripPlot(self.ui.stripLabel)
        self.strip.clicked.connect(self.jump)
        self.strip.recolored.connect(self._updateLegend)
        self.comparing = Comparing(context, self.ui)
        self._setUp()
        for signal in (context.annotationChanged, context.selectionChanged, context.proposalChanged):
            signal.connect(self.update)
        context.accepted.connect(self.update)
        context.sliceChanged.connect(self._onSlice)
        self.update()

    def _setUp(self):
        ui = self.ui
        self.shortcuts = Shortcuts(
            {
                "previousDoubtful": self.previousDoubtful,
                "nextDoubtful": self.nextDoubtful,
                "suggested": self.goToSuggested,
            }
        )
        ui.previousButton.toolTip = withKeys(_("Go to the doubtful slice before this one."), "previousDoubtful")
        ui.nextButton.toolTip = withKeys(_("Go to the doubtful slice after this one."), "nextDoubtful")
        ui.previousButton.connect("clicked()", self.previousDoubtful)
        ui.nextButton.connect("clicked()", self.nextDoubtful)
        ui.suggestButton.connect("clicked()", self.goToSuggested)
        ui.stripLabel.toolTip = _("Click to go to a slice.")
        for word in review.STATUSES:
            ui.statusComboBox.addItem(statusText(word), word)
        ui.statusComboBox.connect("activated(int)", self._onStatusChosen)

    # --- module ---

    def enter(self):
        """Follow the slice views."""
        self._stopFollowing()
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            self._followSlices(node)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAddedEvent, self._onNodeAdded)
        Panel.enter(self)

    def exit(self):
        """Leave the slice views alone."""
        self._stopFollowing()
        Panel.exit(self)

    def cleanup(self):
        """Stop all that goes on."""
        self._stopFollowing()
        self.comparing.close()
        self.strip.close()
        Panel.cleanup(self)

    def _followSlices(self, node):
        if not self.hasObserver(node, vtk.vtkCommand.ModifiedEvent, self._onSliceNode):
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._onSliceNode)
            self._sliceNodes.append(node)

    def _stopFollowing(self):
        self._timer.stop()
        for node in self._sliceNodes:
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self._onSliceNode)
        self._sliceNodes = []
        if self.hasObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAddedEvent, self._onNodeAdded):
            self.removeObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAddedEvent, self._onNodeAdded)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller, event, node):
        if node is not None and node.IsA("vtkMRMLSliceNode"):  # another layout
            self._followSlices(node)

    def _onSliceNode(self, caller=None, event=None):
        self._timer.start()

    # --- jumps ---

    def jump(self, index):
        """Show a slice in all views across the axis."""
        if self._axis is not None and not self.context.jumpTo(self._axis, index):
            word = geometry.axisWord(self.context.volumeNode, self._axis)
            self.context.warn(
                _("No slice view shows {word} slices of the volume; rotate one to the volume plane.").format(word=word)
            )

    def nextDoubtful(self):
        """Show the next doubtful slice."""
        self._jumpToDoubtful(review.nextSlice)

    def previousDoubtful(self):
        """Show the doubtful slice before."""
        self._jumpToDoubtful(review.previousSlice)

    def _jumpToDoubtful(self, choose):
        index = choose(self._doubtful, self._current())
        if index is not None:
            self.jump(index)

    def goToSuggested(self):
        """Show the slice that is best drawn next."""
        if self._data.suggested is not None:
            self.jump(self._data.suggested)

    def _current(self):
        here = None if self._axis is None else self.context.currentSlice(self._axis)
        return None if here is None else here[1]

    def _onSlice(self):
        self._data = self._data._replace(current=self._current())
        self.strip.setData(self._data)

    # --- status ---

    def _onStatusChosen(self, index):
        context = self.context
        if context.segmentId:
            review.setStatus(context.segmentationNode, context.segmentId, self.ui.statusComboBox.itemData(index))

    # --- what is shown ---

    def parameterModified(self):
        """The range or the reference may be another one."""
        self.update()

    def update(self, *_ignored):
        """Read the result and show it."""
        try:
            self._read()
        except Exception:
            logging.exception("FewShotSegment: the review could not be read")
            self._data, self._doubtful, self._axis = StripData(), (), None
        self.strip.setData(self._data)
        self._updateTexts()
        self._updateSegment()
        self.comparing.update()

    def _read(self):
        """Gather what the strip shows, of the preview if one waits."""
        self._data, self._doubtful, self._axis = StripData(), (), None
        context = self.context
        known = self._facts.of()
        shown = self._shown(known)
        if shown is None:
            return
        axis, values, areas, kinds = shown
        occupied = np.flatnonzero(areas).tolist()
        self._axis = axis
        if values is not None and len(values) != len(areas):
            values = None
        suggested = None
        if values is not None:
            self._doubtful = tuple(sorted(review.doubtful(values, list(kinds), occupied)))
            suggested = review.suggestSlice(values, kinds, areas, geometry.spacing(context.volumeNode)[axis])
        self._data = StripData(
            count=len(areas),
            word=geometry.axisWord(context.volumeNode, axis),
            confidence=None if values is None else tuple(_withOneNan(values)),
            occupied=frozenset(occupied),
            doubtful=self._allDoubtful(values, occupied, kinds),
            anchors={index: kind if areas[index] else ABSENT for index, kind in kinds.items()},
            limits=rangeOf(context, axis),
            current=self._current(),
            suggested=suggested,
            unsureBelow=(1 + review.DOUBTFUL) / 2,
        )

    def _shown(self, known):
        """(axis, confidence or None, area on each slice, {anchor: kind}) of the preview, else of the segment."""
        context = self.context
        stored = confidence.read(context.segmentationNode, context.segmentId) if context.segmentId else None
        proposal = context.proposal
        if self._isOf(proposal) and context.segmentId in proposal.results:
            return self._ofProposal(proposal.results[context.segmentId], stored)
        if known.axis is None:
            return None
        values = stored[1] if stored is not None and stored[0] == known.axis else None
        mask = reader.readMask(context.segmentationNode, context.segmentId, context.volumeNode)
        return known.axis, values, self._areas(mask, known.axis), known.anchors

    def _isOf(self, proposal):
        """Whether a proposal is about what is selected."""
        return (
            proposal is not None
            and proposal.valid
            and proposal.segmentationNode is self.context.segmentationNode
            and proposal.volumeNode is self.context.volumeNode
        )

    def _areas(self, mask, axis):
        return review.areasAlong(mask, axis, geometry.volumeShape(self.context.volumeNode)[axis])

    def _ofProposal(self, result, stored):
        """What would be shown if the proposal were accepted."""
        kinds = {index: kind for index, kind in result.anchors.items() if kind in (HAND, CORRECTED)}
        values = np.full(result.confidence.shape, np.nan, np.float32)
        if stored is not None and stored[0] == result.axis and stored[1].shape == values.shape:
            values[:] = stored[1]
        for first, last in result.renewed:
            values[first : last + 1] = result.confidence[first : last + 1]
        values[list(kinds)] = 1
        return result.axis, values, self._areas(Mask(result.mask, result.origin), result.axis), kinds

    @staticmethod
    def _allDoubtful(values, occupied, kinds):
        if values is None:
            return frozenset()
        return frozenset(index for index in occupied if index not in kinds and values[index] < review.DOUBTFUL)

    def _updateTexts(self):
        ui, data = self.ui, self._data
        ui.previousButton.enabled = ui.nextButton.enabled = bool(self._doubtful)
        ui.stripLabel.visible = ui.legendLabel.visible = data.count > 0
        if data.count == 0:
            text = _("Nothing to review yet: annotate a slice and propagate.")
        elif data.confidence is None:
            text = _("Not propagated yet, so there is nothing to say about how sure it is.")
        elif not self._doubtful:
            text = _("No doubtful slices.")
        elif len(self._doubtful) == 1:
            text = _("1 doubtful place: {where}").format(where=self._facts.places(self._axis, self._doubtful))
        else:
            text = _("{count} doubtful places: {where}").format(
                count=len(self._doubtful), where=self._facts.places(self._axis, self._doubtful)
            )
        ui.summaryLabel.text = text
        self._updateLegend()
        self._updateSuggestion()

    def _updateLegend(self):
        self.ui.legendLabel.text = self._legend()

    def _legend(self):
        parts = []
        if self._data.confidence is not None:
            names = {SURE: _("sure"), UNSURE: _("less sure"), DOUBTFUL: _("doubtful")}
            for level, name in names.items():
                color = levelColor(self.ui.stripLabel, level).name()
                parts.append(f'<span style="color:{color}">■</span> {html.escape(name)}')
        kinds = set((self._data.anchors or {}).values())
        signs = {HAND: "▼", CORRECTED: "◆", ABSENT: "✕"}
        parts += [f"{sign} {html.escape(kindText(kind))}" for kind, sign in signs.items() if kind in kinds]
        if self._data.suggested is not None:
            parts.append(f"○ {html.escape(_('suggested'))}")
        return " &nbsp; ".join(parts)

    def _updateSuggestion(self):
        ui, suggested = self.ui, self._data.suggested
        ui.suggestButton.enabled = suggested is not None
        reason = _("There is no suggestion before something was propagated.")
        if suggested is None:
            ui.suggestButton.text = _("Suggested slice")
        else:
            place = self._facts.places(self._axis, [suggested])
            ui.suggestButton.text = _("Suggested slice: {place}").format(place=place)
            distance = min((abs(suggested - index) for index in self._data.anchors or {}), default=None)
            reason = _("Correcting this slice would mend most, as far as can be told.")
            if distance is not None:
                reason = _(
                    "Correcting this slice would mend most, as far as can be told; it is {count} from an anchor."
                ).format(count=_("1 slice") if distance == 1 else _("{count} slices").format(count=distance))
        ui.suggestButton.toolTip = withKeys(reason, "suggested")
        self.showText(ui.suggestionLabel, reason if suggested is not None else "")

    def _updateSegment(self):
        ui, context = self.ui, self.context
        ready = bool(context.segmentId) and context.volumeNode is not None
        ui.statusComboBox.enabled = ready
        ui.volumeLabel.text = "–"
        if not ready:
            return
        word = review.status(context.segmentationNode, context.segmentId)
        ui.statusComboBox.setCurrentIndex(ui.statusComboBox.findData(word))
        if self._facts.of().occupied:
            ml = review.volumeMl(context.segmentationNode, context.segmentId, context.volumeNode)
            ui.volumeLabel.text = _("{volume} ml").format(volume=f"{ml:.1f}" if ml < 1000 else f"{ml:.0f}")
