"""PyTorch's side of `cargo xtask bench --peer`: transformers, eager, f32, on as many threads as it is told.

`peer.py versions` names the software; `peer.py make FOLDER DTYPE LAYERS` writes a checkpoint of SmolLM2-135M's shape with
random weights and that many layers; `peer.py layer` and `peer.py load FOLDER` measure what `peer.rs` does and print the same lines.
"""

import os
import platform
import sys
import time


def smol_config(layers):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=layers,
        num_attention_heads=9,
        num_key_value_heads=3,
        head_dim=64,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_theta=100000.0,
        tie_word_embeddings=True,
    )


def median(call):
    def seconds():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    seconds(), seconds()
    return sorted(seconds() for _ in range(15))[7]


def layer():
    import torch
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

    config = smol_config(1)
    config._attn_implementation = "sdpa"
    decoder = LlamaDecoderLayer(config, 0)
    x = torch.randn(4, 256, 576)
    gradient = torch.randn(4, 256, 576)
    rotary = LlamaRotaryEmbedding(config)(x, torch.arange(256)[None])

    def apply(x):
        y = decoder(x, attention_mask=None, position_embeddings=rotary)
        return y[0] if isinstance(y, tuple) else y

    def forward():
        with torch.no_grad():
            apply(x)

    def both():
        leaf = x.clone().requires_grad_()
        decoder.zero_grad(set_to_none=True)
        (apply(leaf) * gradient).sum().backward()

    print("layer/forward", median(forward))
    print("layer/forward+backward", median(both))


def peak_bytes():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM

    start = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    # Weights may still be maps of the file: touch each page.
    for parameter in model.parameters():
        parameter.data.view(-1)[::1024].sum().item()
    print("load/time", time.perf_counter() - start)
    print("load/memory", peak_bytes())


def make(folder, dtype, layers):
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(smol_config(layers)).to(getattr(torch, dtype)).save_pretrained(folder)


def main():
    match sys.argv[1:]:
        case ["versions"]:
            import torch
            import transformers

            print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}")
        case ["make", folder, dtype, layers]:
            make(folder, dtype, int(layers))
        case ["layer"]:
            layer()
        case ["load", folder]:
            load(folder)
        case found:
            sys.exit(f"error: expected versions, make, layer or load, found {found}")


if __name__ == "__main__":
    import torch

    torch.set_num_threads(int(os.environ["FLAGLAB_THREADS"]))
    main()
