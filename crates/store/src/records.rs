//! The columns of `steps.parquet`, `updates.parquet` and `timing.parquet`.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use trading_env::{Action, SplitName, StepRecord, TimingRecord, UpdateRecord};

use crate::table::{Cell, Cells, Table, field, table};

table!(StepRecord {
    split: SplitName, "", "part of the data: train, valid or test";
    episode: u32, "1", "episode within the split, from 0";
    t: u32, "1", "step within the episode, from 0";
    date: NaiveDate, "", "date of the bar at whose close the decision was taken";
    action: Action, "", "decision: sell, hold or buy";
    position: f64, "1", "exposure after the fill as a share of equity: -1 short, 0 flat, 1 long";
    price: f64, "currency", "next close, at which equity is marked";
    cash: f64, "currency", "cash after the fill";
    equity: f64, "currency", "equity at the next close";
    reward: f64, "reward", "reward of the step, in the unit of the run's reward";
    log_prob: Option<f32>, "nat", "log-probability of the action under the policy that took it; null without a policy";
    value: Option<f32>, "reward", "value estimate at the decision; null without one";
});

table!(UpdateRecord {
    update: u32, "1", "update, from 0";
    global_step: u64, "1", "environment steps taken so far";
    learning_rate: f64, "1", "learning rate of the update";
    policy_loss: f64, "1", "clipped surrogate, to be minimised, mean over minibatches";
    value_loss: f64, "reward^2", "value loss before vf_coef, mean over minibatches";
    entropy: f64, "nat", "entropy of the masked policy, mean over minibatches";
    kl: Option<f64>, "nat", "KL to the initial policy, mean over minibatches; null when kl_coef is 0";
    approx_kl: f64, "nat", "Schulman's k3 estimate of the KL between old and new policy, mean over minibatches";
    clipfrac: f64, "1", "share of ratios outside the clip range, mean over minibatches";
    explained_variance: Option<f64>, "1", "1 - Var(return - value) / Var(return); null when returns do not vary";
    grad_norm: f64, "1", "global gradient norm before clipping, mean over optimiser steps";
    first_ratio_error: f64, "1", "largest |ratio - 1| before the first optimiser step: 0 up to float error";
    episode_return: Option<f64>, "reward", "sum of rewards per episode, mean over those that ended; null when none did";
    share_sell: f64, "1", "share of sell in the rollout";
    share_hold: f64, "1", "share of hold in the rollout";
    share_buy: f64, "1", "share of buy in the rollout";
});

table!(TimingRecord {
    update: u32, "1", "update, from 0";
    steps_per_s: f64, "1/s", "environment steps per second";
    tokens_per_s: f64, "1/s", "tokens encoded per second, cached ones not counted";
    cache_hits: u64, "1", "prompts so far whose shared part the prefix cache had in memory";
    cache_misses: u64, "1", "prompts so far whose shared part was computed from its tokens";
    cache_spilled: u64, "1", "prompts so far whose shared part the prefix cache had on disk", before 0;
    cache_extended: u64, "1", "prompts so far whose shared part was continued from a shallower boundary", before 0;
    cache_recomputed: u64, "1", "prompts so far, of cache_misses, whose shared part had been computed before", before 0;
    rss_bytes: u64, "byte", "resident memory of the process";
});
