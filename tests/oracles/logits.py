"""Compares `flaglab model logits` with transformers on checkpoint folders that have weights and a tokenizer.

    cargo xtask oracle tests/oracles/logits.py --flaglab target/debug/flaglab models/tiny-llama

Token ids: random sequences up to the longest that the model takes, at most 2,048. Text: the ids are those of
AutoTokenizer with its special tokens, which shows in the logits being, to the bit, those that flaglab gives for
these ids.
"""

import argparse

import numpy
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


def special_texts(tokenizer):
    """The text of a special token within other text."""
    return [f"before{token}after {token}" for token in sorted(set(tokenizer.all_special_tokens))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flaglab", required=True, help="the binary")
    parser.add_argument("folders", nargs="+", help="checkpoints in Hugging Face layout")
    args = parser.parse_args()
    flaglab, table = Flaglab(args.flaglab), Table("flaglab model logits and transformers")
    for folder in args.folders:
        model, tokenizer = load(folder), transformers.AutoTokenizer.from_pretrained(folder)
        longest = min(model.config.max_position_embeddings, 2048)
        for n in sorted({1, 2, 17, min(256, longest), longest}):
            ids = draw(model, n, seed=n)
            found = flaglab.logits_of_ids(folder, ids)
            table.row(f"{folder}, {n} ids", relative(found, logits(model, ids)))
        for text in TEXTS + special_texts(tokenizer):
            ids = tokenizer(text)["input_ids"]
            found = flaglab.logits(folder, "--text", text)
            name = f"{folder}, {text[:24]!r}"
            table.row(name, relative(found, logits(model, ids)), f"{len(ids)} ids")
            if not numpy.array_equal(found, flaglab.logits_of_ids(folder, ids)):
                table.failures.append(f"{name}: not the ids of AutoTokenizer, {ids}")
    table.end()


if __name__ == "__main__":
    main()
