"""What the scripts share: logits by transformers, logits by flaglab, and their comparison."""

import json
import subprocess

import numpy
import torch
import transformers

# Largest difference that counts as equal, relative to the largest logit.
TOLERANCE = 1e-4

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def load(folder):
    """A checkpoint in float32 with eager attention."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


@torch.no_grad()
def logits(model, ids):
    """Logits after the last of the ids, by transformers or PEFT."""
    return model(torch.tensor([ids]), use_cache=False).logits[0, -1].numpy()


def draw(model, n, seed=0):
    """n random token ids."""
    return numpy.random.default_rng(seed).integers(0, model.config.vocab_size, n).tolist()


def relative(found, expected):
    """Largest difference relative to the largest expected logit."""
    if found.shape != expected.shape:
        return float("inf")
    return float(numpy.abs(found - expected).max() / numpy.abs(expected).max())


class Flaglab:
    """The command line."""

    def __init__(self, binary):
        self.binary = binary

    def run(self, *args):
        """Its standard output; its message when it fails."""
        done = subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"flaglab {' '.join(map(str, args))[:200]}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def logits(self, folder, *args):
        """`model logits`: one bare array of numbers."""
        out = self.run("model", "logits", "--checkpoint", folder, *args, "--format", "json")
        return numpy.array(json.loads(out), dtype=numpy.float32)

    def logits_of_ids(self, folder, ids, *args):
        return self.logits(folder, "--ids", ",".join(map(str, ids)), *args)


class Table:
    """Rows of differences; the process fails when one is too large."""

    def __init__(self, title):
        print(f"\n{title}: worst difference relative to the largest logit")
        self.failures = []

    def row(self, name, worst, note=""):
        print(f"{name:52} {worst:8.1e} {note}", flush=True)
        if not worst <= TOLERANCE:
            self.failures.append(f"{name}: {worst:.1e}, more than {TOLERANCE:.0e}")

    def end(self):
        if self.failures:
            raise SystemExit("\n".join(self.failures))
