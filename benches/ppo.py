"""PyTorch's side of the benchmark of `ppo-llm`: PPO on a language model with transformers, eager, f32, on the CPU.

`ppo.py versions` names the software; `ppo.py train FILE` trains as the workload `FILE` says and prints lines of
`name value`, and to stderr where the time went.

It is CleanRL's PPO around a `LlamaModel`, with sdpa attention and without a head for tokens: a policy and a value head
on the last token's state, the model frozen below and trained above or with PEFT's LoRA. Frozen layers have no graph and
rollouts none at all; every pass reads the whole prompt. The prompts are given and the rewards drawn, so that no
environment and no tokeniser count.
"""

import json
import os
import platform
import sys
import time
import warnings

import torch
from torch import nn
from torch.distributions import Categorical, kl_divergence
from torch.nn.utils.rnn import pad_sequence

from peer import peak_bytes, smol_config

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def head(widths, gain):
    layers = []
    for d_in, d_out in zip(widths, widths[1:]):
        layers += [nn.Linear(d_in, d_out), nn.Tanh()]
    linear = layers[:-1:2]
    for layer in linear:
        nn.init.orthogonal_(layer.weight, gain if layer is linear[-1] else 2**0.5)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers[:-1])


def language_model(work):
    """The model with `requires_grad` where the workload trains it."""
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    settings = {"attn_implementation": "sdpa", "dtype": torch.float32}
    if work["model"] == "smol":
        model = AutoModel.from_config(smol_config(work["n_layers"]), **settings)
    else:
        model = AutoModel.from_pretrained(work["model"], **settings)
    model.eval().requires_grad_(False)
    n_layers = len(model.layers)
    if work["lora"]:
        from peft import LoraConfig, get_peft_model

        lora = work["lora"]
        config = LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=0.0,
            target_modules=PROJECTIONS,
            layers_to_transform=list(range(n_layers - lora["layers"], n_layers)),
            layers_pattern="layers",
        )
        # PEFT asks transformers for a property that the latter renamed.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)
    if work["n_trainable_layers"] > 0:
        model.layers[n_layers - work["n_trainable_layers"] :].requires_grad_(True)
        model.norm.requires_grad_(True)
    return model


class ActorCritic(nn.Module):
    def __init__(self, work):
        super().__init__()
        self.model = language_model(work)
        d = self.model.config.hidden_size
        self.policy = head([d, *work["policy_head"], 3], 0.01)
        self.value = head([d, *work["value_head"], 1], 1.0)

    def forward(self, prompts):
        """The policy and the values `[batch]` at `prompts`, 1-D tensors of token ids of any lengths."""
        inputs = {"input_ids": pad_sequence(prompts, batch_first=True, padding_side="left")}
        if len({len(prompt) for prompt in prompts}) > 1:
            ones = [torch.ones_like(prompt) for prompt in prompts]
            mask = pad_sequence(ones, batch_first=True, padding_side="left")
            inputs["attention_mask"] = mask
            inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        last = self.model(**inputs, use_cache=False).last_hidden_state[:, -1]
        return Categorical(logits=self.policy(last), validate_args=False), self.value(last).squeeze(-1)

    @torch.no_grad()
    def evaluate(self, prompts, chunk):
        """Log-probabilities `[n, 3]` and values `[n]` without a graph, `chunk` prompts at a time."""
        outputs = [self(prompts[i : i + chunk]) for i in range(0, len(prompts), chunk)]
        return torch.cat([policy.logits for policy, _ in outputs]), torch.cat([values for _, values in outputs])


def advantages(rewards, values, bootstrap, gamma, gae_lambda):
    """Generalised advantage estimation `[num_steps, num_envs]` of episodes that go on after the rollout."""
    result = torch.zeros_like(rewards)
    next_values, last = bootstrap, torch.zeros_like(bootstrap)
    for step in reversed(range(len(rewards))):
        delta = rewards[step] + gamma * next_values - values[step]
        last = delta + gamma * gae_lambda * last
        result[step], next_values = last, values[step]
    return result


class Trainer:
    def __init__(self, work):
        self.work = work
        self.prompts = [torch.tensor(prompt) for prompt in work["prompts"]]
        self.n_samples = work["num_steps"] * work["num_envs"]
        if len(self.prompts) != self.n_samples + work["num_envs"]:
            sys.exit(f"error: expected {self.n_samples + work['num_envs']} prompts, found {len(self.prompts)}")
        self.net = ActorCritic(work)
        self.trained = [p for p in self.net.parameters() if p.requires_grad]
        self.initial = [p.detach().clone() for p in self.trained] if work["kl_coef"] != 0 else []
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=work["learning_rate"], eps=work["adam_eps"], weight_decay=0.0
        )

    def rollout(self):
        work, n_envs = self.work, self.work["num_envs"]
        chunk = work["minibatch_size"]
        actions = torch.zeros(work["num_steps"], n_envs, dtype=torch.long)
        log_probs, values, rewards = (torch.zeros(work["num_steps"], n_envs) for _ in range(3))
        for step in range(work["num_steps"]):
            logits, values[step] = self.net.evaluate(self.prompts[step * n_envs : (step + 1) * n_envs], chunk)
            policy = Categorical(logits=logits, validate_args=False)
            actions[step] = policy.sample()
            log_probs[step] = policy.log_prob(actions[step])
            rewards[step] = torch.randn(n_envs)
        _, bootstrap = self.net.evaluate(self.prompts[self.n_samples :], chunk)
        estimates = advantages(rewards, values, bootstrap, work["gamma"], work["gae_lambda"])
        columns = {
            "actions": actions,
            "log_probs": log_probs,
            "values": values,
            "advantages": estimates,
            "targets": estimates + values,
        }
        return {name: column.flatten() for name, column in columns.items()}

    def swap(self):
        """Exchanges the parameters of now with the other set, the initial ones."""
        for parameter, other in zip(self.trained, self.initial):
            parameter.data, other.data = other.data, parameter.data

    def initial_policy(self):
        self.swap()
        # Whole minibatches would take more time and memory here.
        log_probs, _ = self.net.evaluate(self.prompts[: self.n_samples], self.work["micro_batch_size"])
        self.swap()
        return log_probs

    def loss(self, seen, samples, whitened):
        """Sum over the samples of a micro-batch."""
        work, clip = self.work, self.work["clip_coef"]
        policy, values = self.net([self.prompts[i] for i in samples])

        ratio = (policy.log_prob(seen["actions"][samples]) - seen["log_probs"][samples]).exp()
        surrogate = torch.max(-whitened * ratio, -whitened * ratio.clamp(1 - clip, 1 + clip))

        old, targets = seen["values"][samples], seen["targets"][samples]
        clipped = old + (values - old).clamp(-clip, clip)
        value_loss = 0.5 * torch.max((values - targets) ** 2, (clipped - targets) ** 2)

        loss = surrogate - work["ent_coef"] * policy.entropy() + work["vf_coef"] * value_loss
        if work["kl_coef"] != 0:
            initial = Categorical(logits=seen["initial"][samples], validate_args=False)
            loss = loss + work["kl_coef"] * kl_divergence(policy, initial)
        return loss.sum()

    def update(self, seen):
        work = self.work
        if work["kl_coef"] != 0:
            seen = {**seen, "initial": self.initial_policy()}
        for _ in range(work["update_epochs"]):
            for minibatch in torch.randperm(self.n_samples).split(work["minibatch_size"]):
                whitened = seen["advantages"][minibatch]
                if len(minibatch) > 1:
                    whitened = (whitened - whitened.mean()) / (whitened.std() + 1e-8)
                self.optimizer.zero_grad()
                micro = work["micro_batch_size"]
                for samples, part in zip(minibatch.split(micro), whitened.split(micro)):
                    (self.loss(seen, samples, part) / len(minibatch)).backward()
                nn.utils.clip_grad_norm_(self.trained, work["max_grad_norm"])
                self.optimizer.step()


def train(path):
    torch.set_num_threads(int(os.environ["FLAGLAB_THREADS"]))
    torch.manual_seed(0)
    with open(path) as file:
        work = json.load(file)
    trainer = Trainer(work)
    rollout = update = 0.0
    for iteration in range(work["warm_up"] + work["iterations"]):
        start = time.perf_counter()
        seen = trainer.rollout()
        middle = time.perf_counter()
        trainer.update(seen)
        if iteration >= work["warm_up"]:
            rollout += middle - start
            update += time.perf_counter() - middle
    seconds = rollout + update
    tokens = sum(len(prompt) for prompt in trainer.prompts[: trainer.n_samples])
    print("ppo/steps_per_s", work["iterations"] * trainer.n_samples / seconds)
    print("ppo/tokens_per_s", work["iterations"] * tokens / seconds)
    print("ppo/memory", peak_bytes())
    print("ppo/train_s", seconds)
    n_trained = sum(p.numel() for p in trainer.trained)
    print(f"rollout {rollout:.3f} s, update {update:.3f} s, {n_trained} trained parameters", file=sys.stderr)

    if count := work.get("evaluate"):
        start = time.perf_counter()
        for i in range(count):
            trainer.net.evaluate([trainer.prompts[i % len(trainer.prompts)]], 1)
        print("ppo/evaluate_s", (time.perf_counter() - start) / count)


def main():
    match sys.argv[1:]:
        case ["versions"]:
            import peft
            import transformers

            print(
                f"PyTorch {torch.__version__}, transformers {transformers.__version__}, PEFT {peft.__version__}, "
                f"Python {platform.python_version()}"
            )
        case ["train", path]:
            train(path)
        case found:
            sys.exit(f"error: expected versions or train FILE, found {found}")


if __name__ == "__main__":
    main()
