"""Stable-Baselines3's side of `cargo xtask bench --sb3`: PPO with separate networks for policy and value, on the CPU.

`sb3.py versions` names the software; `sb3.py train FILE` trains on the closes of `FILE` (one per line, made by
`peer closes`) as `peer train` does, and prints the same lines of `name value`.

The market is `ppo-mlp`'s under the rules `investor-bench` with the reward `log-return`: all actions are legal, so that
the missing action masks make no difference. What an observation holds besides the position is computed before the
clock starts, and no `Monitor` counts episodes: both are in SB3's favour.
"""

import os
import platform
import sys
import time

import gymnasium
import numpy as np

N_ENVS = 8
NUM_STEPS = 128
WARM_UP_STEPS = 2 * N_ENVS * NUM_STEPS
STEPS = 32 * N_ENVS * NUM_STEPS
WINDOW = 20
MAX_EPISODE_STEPS = 65
# Factor on the log returns of an observation and on the reward.
SCALE = 100.0


class Market(gymnasium.Env):
    """Sell, hold and buy are a position of -1, 0 and 1 until the next close."""

    def __init__(self, returns, rows, seed):
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (WINDOW + 1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.returns, self.rows = returns, rows
        self.last_start = len(rows) - 1 - MAX_EPISODE_STEPS
        self.starts = np.random.default_rng(seed)
        self.bar = self.end = 0

    def reset(self, *, seed=None, options=None):
        self.bar = int(self.starts.integers(self.last_start + 1))
        self.end = self.bar + MAX_EPISODE_STEPS
        return self.rows[self.bar], {}

    def step(self, action):
        position = int(action) - 1
        reward = position * self.returns[self.bar]
        self.bar += 1
        seen = self.rows[self.bar].copy()
        seen[WINDOW] = position
        return seen, reward, False, self.bar == self.end, {}


def market(path):
    """Scaled log return from each bar to the next; and by bar the last `WINDOW` ones, the newest first, and a 0."""
    returns = SCALE * np.diff(np.log(np.loadtxt(path)))
    padded = np.concatenate([np.zeros(WINDOW), returns])
    rows = np.zeros((len(returns) + 1, WINDOW + 1), np.float32)
    for age in range(WINDOW):
        rows[:, age] = padded[WINDOW - 1 - age : len(padded) - age]
    return returns.tolist(), rows


def train(path):
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(int(os.environ["FLAGLAB_THREADS"]))
    returns, rows = market(path)
    model = PPO(
        "MlpPolicy",
        DummyVecEnv([lambda seed=seed: Market(returns, rows, seed) for seed in range(N_ENVS)]),
        n_steps=NUM_STEPS,
        batch_size=256,
        n_epochs=4,
        learning_rate=3e-4,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        clip_range_vf=None,
        normalize_advantage=True,
        ent_coef=0.01,
        # Times the squared error; ours is times half of it and has 1.0.
        vf_coef=0.5,
        max_grad_norm=0.5,
        policy_kwargs={"activation_fn": torch.nn.ReLU, "net_arch": {"pi": [64, 64], "vf": [64, 64]}},
        device="cpu",
        seed=0,
    )
    model.learn(WARM_UP_STEPS, log_interval=None)
    start, cpu = time.perf_counter(), time.process_time()
    model.learn(STEPS, log_interval=None, reset_num_timesteps=False)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print("ppo-mlp/steps_per_s", STEPS / wall)
    print("ppo-mlp/cpu_of_1024_steps", cpu / (STEPS / 1024))


def main():
    match sys.argv[1:]:
        case ["versions"]:
            import stable_baselines3
            import torch

            print(
                f"Stable-Baselines3 {stable_baselines3.__version__}, PyTorch {torch.__version__}, "
                f"gymnasium {gymnasium.__version__}, Python {platform.python_version()}"
            )
        case ["train", path]:
            train(path)
        case found:
            sys.exit(f"error: expected versions or train FILE, found {found}")


if __name__ == "__main__":
    main()
