"""The engine as a resident process: a client asks, a worker computes, JSON lines between them.

Rooms: `messages` (what is said) and `codec` (as lines); the asking side, standard library only and no Qt: `client`,
with `transport`, `tickets`, `watch`, `folder`, `loglines`, `processes` and `sentences`; the answering side: `serve`,
which gives each request as a `job` to `handlers`, with `inputs`, `answers`, `tags`, `thumbnails`, `failures`, `wording`
and, for what stays from request to request, `sessions`.
"""
