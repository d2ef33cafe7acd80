"""Compares adapters in both directions: those of flaglab in PEFT, those of PEFT in flaglab.

    cargo xtask oracle tests/oracles/peft_roundtrip.py --flaglab target/debug/flaglab \\
        --base models/tiny-llama --adapter EXPORTED [--merged EXPORTED_IN_FULL]

EXPORTED is what `flaglab model export RUN EXPORTED --format peft` wrote. `--merged` is the same run's full export: it
must equal the base with the adapter merged into it. Without `--adapter` only PEFT's adapters are compared.
"""

import argparse
import json
import tempfile
from pathlib import Path

import peft
import torch

from oracle import Flaglab, Table, draw, load, logits, relative

LENGTHS = (1, 2, 17, 128)
ADAPTERS = {
    "q and v": dict(target_modules=["q_proj", "v_proj"]),
    "all projections by name": dict(
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
    "all-linear, rsLoRA": dict(target_modules="all-linear", use_rslora=True),
    "mlp of the first layer": dict(target_modules=["gate_proj", "up_proj", "down_proj"], layers_to_transform=[0]),
    "one index of a layer": dict(target_modules=["k_proj", "o_proj"], layers_to_transform=1),
    "trained with dropout": dict(target_modules=["q_proj", "up_proj"], lora_dropout=0.1),
    "regular expression": dict(target_modules=r".*\.1\.self_attn\.(q|o)_proj"),
}


def make(base, folder, settings):
    """An adapter of rank 4 and alpha 16 whose factors are both random."""
    model = peft.get_peft_model(load(base), peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, **settings))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                parameter.normal_(std=0.1)
    model.save_pretrained(folder)


def compare(table, name, flaglab, base, adapter):
    """Logits of base and adapter in both, and how far the adapter moves the base's."""
    plain = load(base)
    before = {n: logits(plain, draw(plain, n)) for n in LENGTHS}
    adapted = peft.PeftModel.from_pretrained(plain, adapter).eval()
    expected = {n: logits(adapted, draw(plain, n)) for n in LENGTHS}
    worst = max(
        relative(flaglab.logits_of_ids(base, draw(plain, n), "--adapter", adapter), expected[n]) for n in LENGTHS)
    effect = max(relative(expected[n], before[n]) for n in LENGTHS)
    table.row(name, worst, f"the adapter moves the logits by {effect:.1e}")
    if not effect > 1e-3:
        table.failures.append(f"{name}: the adapter hardly changes the model, so nothing is shown")


def compare_merged(table, flaglab, base, adapter, merged):
    """The full export against the base into which PEFT merges the adapter."""
    model = peft.PeftModel.from_pretrained(load(base), adapter).merge_and_unload().eval()
    exported = load(merged)
    for n in LENGTHS:
        ids = draw(model, n)
        expected = logits(model, ids)
        table.row(f"full export in transformers, {n} ids", relative(logits(exported, ids), expected))
        table.row(f"full export in flaglab, {n} ids", relative(flaglab.logits_of_ids(merged, ids), expected))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flaglab", required=True, help="the binary")
    parser.add_argument("--base", required=True, help="checkpoint in Hugging Face layout")
    parser.add_argument("--adapter", help="adapter that flaglab exported for the base")
    parser.add_argument("--merged", help="full export of the same run")
    args = parser.parse_args()
    flaglab, table = Flaglab(args.flaglab), Table(f"adapters of {args.base}")
    if args.adapter:
        config = json.loads((Path(args.adapter) / "adapter_config.json").read_text())
        name = f"trained here, in PEFT: rank {config['r']}, alpha {config['lora_alpha']:g}"
        compare(table, name, flaglab, args.base, args.adapter)
        if args.merged:
            compare_merged(table, flaglab, args.base, args.adapter, args.merged)
    for name, settings in ADAPTERS.items():
        with tempfile.TemporaryDirectory() as folder:
            make(args.base, folder, settings)
            compare(table, f"made by PEFT, here: {name}", flaglab, args.base, folder)
    table.end()


if __name__ == "__main__":
    main()
