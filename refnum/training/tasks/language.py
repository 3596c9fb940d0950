"""Language models: characters of a text, or symbols of a source of known entropy."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor, cross_entropy, log_softmax
from refnum.nn import GPT2, GPT2Config, Llama, LlamaConfig, Module
from refnum.training.plan import Plan
from refnum.training.tasks.markov import MarkovSource
from refnum.training.tasks.task import Samples
from refnum.training.tasks.text import Text, python_reference, read_text
from refnum.training.tasks.writing import write_on

__all__ = ["Language"]

_Tokens = npt.NDArray[np.intp]
DATA = ("text", "markov")
MODELS = ("gpt2", "llama")
_EVALUATED = 32  # windows
_TEXT = Plan(
    steps=300,
    batch=16,
    learning_rate=3e-3,
    weight_decay=0.1,
    warmup=30,
    clip=1.0,
    final=0.1,
)
_MARKOV = Plan(steps=300, batch=16, learning_rate=3e-3, warmup=30, clip=1.0)


@dataclass(frozen=True)
class Language:
    """Predict the next token.

    Parameters
    ----------
    data : {"text", "markov"}
        Characters of a text, the last twentieth of it held out; or symbols of a Markov
        chain, new ones at each step.
    model : {"gpt2", "llama"}
        The transformer.
    text : str, optional
        Path of a UTF-8 file; by default the reference text inside this Python.
    width, heads, layers, context : int
        Sizes of the model.
    source : MarkovSource
        The chain.

    Raises
    ------
    ValueError
        If a name is unknown, or the text cannot be used.
    """

    data: str = "text"
    model: str = "gpt2"
    text: str | None = None
    width: int = 128
    heads: int = 4
    layers: int = 2
    context: int = 64
    source: MarkovSource = MarkovSource()  # noqa: RUF009 frozen
    name: str = field(default="language", init=False)

    def __post_init__(self) -> None:
        for value, known in ((self.data, DATA), (self.model, MODELS)):
            if value not in known:
                raise ValueError(f"{value!r} is unknown; there are {', '.join(known)}")
        if self.data == "markov" and self.text is not None:
            raise ValueError("a text does not go with data='markov'")
        if self.data == "text" and self._text().smallest_part <= self.context:
            raise ValueError(
                f"the text is too short for windows of {self.context} characters: "
                f"its held-out part has {self._text().smallest_part}"
            )

    @property
    def plan(self) -> Plan:
        """Batches of 16 windows."""
        return _TEXT if self.data == "text" else _MARKOV

    def settings(self) -> dict[str, Any]:
        """Return all fields; a text by its SHA-256."""
        facts = asdict(self)
        del facts["name"], facts["text"], facts["source"]
        if self.data == "text":
            facts["text"] = self._text().digest
        else:
            facts["source"] = asdict(self.source)
        return {"task": self.name, **facts}

    def references(self) -> dict[str, float]:
        """Return entropies in nats: the source's, or of characters by themselves."""
        if self.data == "markov":
            return {"entropy": self.source.entropy()}
        return {"unigram entropy": self._text().unigram_entropy()}

    def build(self, stream: Stream) -> Module:
        """Return the model."""
        sizes = self._vocabulary(), self.context, self.width, self.heads, self.layers
        if self.model == "gpt2":
            return GPT2(GPT2Config(*sizes), stream)
        return Llama(LlamaConfig(*sizes), stream)

    def batch(self, seed: int, step: int, size: int) -> tuple[Any, ...]:
        """Return windows of ``context + 1`` tokens."""
        stream = Stream(seed, step, "windows")
        if self.data == "markov":
            return (self.source.draw(stream, size, self._length()),)
        train = self._text().train
        words = stream.words(size).astype(np.uint64)
        starts = words * np.uint64(len(train) - self.context) >> np.uint64(32)
        return (train[starts.astype(np.intp)[:, None] + np.arange(self._length())],)

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy, in nats a token."""
        (windows,) = batch
        logits = model(windows[:, :-1])[:, self._known :]
        flat = logits.reshape((-1, logits.shape[-1]))
        wanted = windows[:, 1 + self._known :].reshape(-1)
        loss: Tensor = cross_entropy(flat, wanted)
        return loss

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return the loss on what was held out, and the distance to the reference."""
        if self.data == "markov":
            return self._evaluate_source(model)
        held = self._text().test
        starts = np.linspace(0, len(held) - self._length(), _EVALUATED).astype(np.intp)
        windows = held[starts[:, None] + np.arange(self._length())]
        loss = self.loss(model, (windows,)).item()
        return {"loss": loss, "gain": self.references()["unigram entropy"] - loss}

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return text that the model writes."""
        stream = Stream(seed, name="samples")
        if self.data == "markov":
            tokens = write_on(model, self.context, np.zeros(1, np.intp), 60, stream)
            return Samples(text=" ".join(map(str, tokens)))
        text = self._text()
        start = np.full(1, text.newline, np.intp)
        tokens = write_on(model, self.context, start, 400, stream)
        return Samples(text="".join(text.symbols[k] for k in tokens))

    def _evaluate_source(self, model: Any) -> dict[str, float]:
        """Return the mean divergence from the source's own chances, and the loss.

        The gap is exact at each place: ``sum p log(p / q)`` over all next symbols.
        """
        held = self.source.draw(Stream(0, name="held out"), _EVALUATED, self._length())
        logits = model(held[:, :-1])[:, self._known :]
        guessed = log_softmax(logits, axis=-1).data.astype(np.float64)
        chances = self.source.probabilities()
        states = self.source.states(held[:, :-1])
        cross = -math.fsum((chances[states] * guessed).ravel().tolist()) / states.size
        own = [
            -math.fsum(p * math.log(p) for p in row if p > 0)
            for row in chances.tolist()
        ]
        least = math.fsum(np.array(own)[states].ravel().tolist()) / states.size
        gap = cross - least
        return {"loss": self.source.entropy() + gap, "gap": gap}

    @property
    def _known(self) -> int:
        """How many first places are not judged: the chain's state is not yet seen."""
        return self.source.order - 1 if self.data == "markov" else 0

    def _length(self) -> int:
        return self.context + 1

    def _vocabulary(self) -> int:
        if self.data == "markov":
            return self.source.symbols
        return len(self._text().symbols)

    def _text(self) -> Text:
        return _load(self.text)


@functools.lru_cache(maxsize=2)
def _load(path: str | None) -> Text:
    return read_text(Path(path)) if path else python_reference()
