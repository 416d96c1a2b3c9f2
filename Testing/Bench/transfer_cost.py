"""What a few-shot network costs for each query slice, beside one pass of its encoder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import tubes

SIZE, BATCH = 256, 4
NETWORKS = ("dspnet-published", "alpnet", "dspnet")
# Encoder → rounds, and rounds of a quick run; a quicker encoder needs more for the same certainty.
ROUNDS = {"resnet101": (3, 1), "propagator": (20, 5)}


@dataclass(frozen=True)
class HeadCost:
    """One network on one encoder; seconds a slice, the least of all rounds.

    Attributes:
        encoder: its name.
        network: its name.
        encode: one encoder pass, in a batch.
        head: what the network adds, in the same batch.
        learn: making the memory of one support slice, its encoding not counted; once for a volume.
        forward: support and query together, as published code does for every query.
    """

    encoder: str
    network: str
    encode: float
    head: float
    learn: float
    forward: float

    @property
    def passes(self) -> float:
        """Encoder passes that a query slice costs."""
        return (self.encode + self.head) / self.encode

    @property
    def passes_published(self) -> float:
        """The same where the support is encoded and learned again for every query."""
        return self.forward / self.encode

    @property
    def line(self) -> str:
        return (
            f"{self.encoder}, {self.network}: {1000 * self.encode:.0f} ms encoder + {1000 * self.head:.1f} ms head = "
            f"{self.passes:.3f} encoder passes a query slice; support learned once in {1000 * self.learn:.1f} ms; the "
            f"support again for every query, as published: {self.passes_published:.2f} passes, "
            f"{self.passes_published / self.passes:.2f} times as much"
        )


@dataclass(frozen=True)
class TransferCost:
    """All of them, and how they were measured."""

    heads: tuple[HeadCost, ...]
    threads: int

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"{SIZE} × {SIZE}, {BATCH} queries in a batch, {self.threads} threads, interleaved, least of all rounds",
            *(head.line for head in self.heads),
        ]

    def as_dict(self) -> dict:
        """For the JSON."""
        ratios = [{"passes": head.passes, "passes_published": head.passes_published} for head in self.heads]
        own = [asdict(head) | ratio for head, ratio in zip(self.heads, ratios, strict=True)]
        return {"threads": self.threads, "heads": own}


def measure(quick: bool, progress: Callable[[str], None] = lambda text: None) -> TransferCost:
    """All networks on all encoders, random weights: time does not depend on them."""
    import torch

    heads = [head for name, rounds in ROUNDS.items() for head in _measure_encoder(name, rounds[quick], progress)]
    return TransferCost(tuple(heads), torch.get_num_threads())


def _measure_encoder(name: str, rounds: int, progress: Callable[[str], None]) -> list[HeadCost]:
    import torch

    from FewShotSegmentLib import Settings
    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.networks.encoders import build_encoder
    from FewShotSegmentLib.preprocessing import normalise

    volume, (mask, _) = tubes.make(1 + BATCH, SIZE)
    images = normalise(volume, (1.0, 1.0), "ct", Settings(long_side=SIZE)).slices[:, None]
    support, queries = images[:1], images[1:]
    given = torch.from_numpy(mask)[None].float()
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        encoder = build_encoder(name).eval()
        if name == "propagator":
            encoder.to(memory_format=torch.channels_last)  # as the engine has it
        networks = {network: build(network, encoder).eval() for network in NETWORKS}
        known, features = encoder(support), encoder(queries)
        least: dict[str, float] = {}

        def time_of(key: str, call: Callable[[], object], shares: int = 1) -> None:
            start = time.perf_counter()
            call()
            least[key] = min(least.get(key, float("inf")), (time.perf_counter() - start) / shares)

        # a round that does not count comes first: the first calls of a process are slower
        for number in range(1 + rounds):
            progress(f"{name}, round {number} of {rounds}" if number else f"{name}, warming up")
            if number == 1:
                least.clear()
            for title, network in networks.items():
                time_of("encode", lambda: encoder(queries), BATCH)
                memory = network.learn(support, known, given)
                time_of(f"{title} learn", lambda n=network: n.learn(support, known, given))
                time_of(f"{title} head", lambda n=network, m=memory: n.segment(m, features, (SIZE, SIZE)), BATCH)
                time_of(f"{title} forward", lambda n=network: n(support, given, queries[:1]))
    return [
        HeadCost(name, title, least["encode"], *(least[f"{title} {part}"] for part in ("head", "learn", "forward")))
        for title in NETWORKS
    ]
