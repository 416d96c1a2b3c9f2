"""Training without annotation: material, the loop, and what is kept of it.

Rooms, in the order in which data flows: `settings` (all numbers), `seeds`, `synthetic_source` and `volume_source`
(joined by `sources`) which make parts of batches, `prefetch` (ahead of need), `propagator_task` and `few_shot_task`
(part → loss), `trainer` with `optimiser`, `processes` and `checkpoint`, `observe` (what is seen of it), and `pretrain`
(from folders of images to weights).
"""
