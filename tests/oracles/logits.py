"""Compares `flaglab model logits` with transformers.

    cargo xtask oracle tests/oracles/logits.py --flaglab target/debug/flaglab models/tiny-llama

Folders need weights and a tokenizer. Token ids: random sequences up to the longest that the model takes, at most 2,048.
Text: the ids are those of AutoTokenizer with its special tokens, which shows in the logits being, to the bit, those
that flaglab gives for these ids.

`--shapes` adds random models in the shapes of published ones, made in a scratch folder: the fixtures are so small
that rounding has little room to grow.
"""

import argparse
import tempfile
from pathlib import Path

import numpy
import torch
import transformers

from oracle import Flaglab, Table, draw, load, logits, relative

TEXTS = [
    "a",
    "The market fell 3.25% on Monday, after a profit warning.",
    " leading space, trailing space ",
    "Line one\nLine two\n\n\tindented   three spaces",
    "Zürich: 1'234.50 CHF, naïve café, 日本株は上昇, 📈 +12%",
    "combining e\u0301, nbsp\u00a0here, zero\u200bwidth, ﬁ ligature, \u2009thin",
    "MSFT>=200 <b>&amp;</b> {\"price\": [1e-5, -0.0]} don't we'll I'M",
]


# The vocabulary of all and the depth of the last two are cut, for the sake of time and memory.
SHAPES = {
    "SmolLM2-135M": transformers.LlamaConfig(
        vocab_size=4096, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=100000)),
    "Qwen2.5-0.5B, 8 layers": transformers.Qwen2Config(
        vocab_size=4096, hidden_size=896, intermediate_size=4864, num_hidden_layers=8, num_attention_heads=14,
        num_key_value_heads=2, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1000000)),
    "Llama-3.2-1B, 4 layers": transformers.LlamaConfig(
        vocab_size=4096, hidden_size=2048, intermediate_size=8192, num_hidden_layers=4, num_attention_heads=32,
        num_key_value_heads=8, head_dim=64, max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="llama3", rope_theta=500000, factor=32.0, low_freq_factor=1.0,
                             high_freq_factor=4.0, original_max_position_embeddings=8192)),
}


def make(config, folder):
    """A random model whose attention is far from uniform: scores have a standard deviation of about 2."""
    torch.manual_seed(0)
    config.initializer_range = 1.4 / config.hidden_size ** 0.5
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".bias"):
                parameter.normal_(std=0.5)
    model.to(torch.bfloat16).save_pretrained(folder)


def compare_ids(table, flaglab, name, folder, model, lengths):
    """Random sequences, as far as the model takes them."""
    for n in sorted({min(n, model.config.max_position_embeddings) for n in lengths}):
        ids = draw(model, n, seed=n)
        table.row(f"{name}, {n} ids", relative(flaglab.logits_of_ids(folder, ids), logits(model, ids)))


def compare_texts(table, flaglab, folder, model):
    """Texts, among them the text of each special token within other text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    special = [f"before{token}after {token}" for token in sorted(set(tokenizer.all_special_tokens))]
    for text in TEXTS + special:
        ids = tokenizer(text)["input_ids"]
        found = flaglab.logits(folder, "--text", text)
        name = f"{folder}, {text[:24]!r}"
        table.row(name, relative(found, logits(model, ids)), f"{len(ids)} ids")
        if not numpy.array_equal(found, flaglab.logits_of_ids(folder, ids)):
            table.failures.append(f"{name}: not the ids of AutoTokenizer, {ids}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flaglab", required=True, help="the binary")
    parser.add_argument("--shapes", action="store_true", help="also random models of published shapes")
    parser.add_argument("folders", nargs="*", help="checkpoints in Hugging Face layout")
    args = parser.parse_args()
    flaglab, table = Flaglab(args.flaglab), Table("flaglab model logits and transformers")
    for folder in args.folders:
        model = load(folder)
        compare_ids(table, flaglab, folder, folder, model, (1, 2, 17, 256, 2048))
        compare_texts(table, flaglab, folder, model)
    for name, config in SHAPES.items() if args.shapes else ():
        with tempfile.TemporaryDirectory() as folder:
            make(config, Path(folder))
            compare_ids(table, flaglab, name, folder, load(folder), (17, 2048))
    table.end()


if __name__ == "__main__":
    main()
