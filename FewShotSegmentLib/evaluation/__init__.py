"""Every claim about quality is one command away.

Rooms, in the order in which data flows: `datasets` (which scans, from folders as users download them: `case`),
`protocols` (which questions: `protocol`), `methods` (who answers: `method`), `metrics` (how good: `row`), `runner`
(what is done already is not done again), `statistics`, and `report`.
"""
