//! What the tests write.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use plugin::Imported;
use proptest::prelude::*;
use serde_json::{Map, json};
use trading_env::{Action, Role, SplitName, StepRecord, TimingRecord, UpdateRecord};

use crate::{DataInfo, Machine, ManifestStart, Versions};

pub(super) const RUN: &str = "00112233445566aa";

pub(super) fn start(run_id: &str, arm: &str, seed: u64) -> ManifestStart {
    ManifestStart {
        run_id: run_id.to_owned(),
        experiment: "demo".to_owned(),
        arm: arm.to_owned(),
        arm_key: format!("key of {arm}"),
        role: Role::Arm,
        axes: Map::from_iter([("agent.lora.rank".to_owned(), json!(4))]),
        seed,
        versions: Versions { flaglab: "0.1.0".to_owned(), burn: None, contract: 1 },
        git_commit: Some("abc".to_owned()),
        backend: "flex".to_owned(),
        adapter: "CPU".to_owned(),
        device: None,
        machine: Machine { cpu: "some CPU".to_owned(), cores: 2, os: "linux x86_64".to_owned() },
        data: DataInfo {
            symbol: "MSFT".to_owned(),
            fingerprint: "f".to_owned(),
            bars: 10,
            source: "csv".to_owned(),
        },
        content: BTreeMap::from([("checkpoint".to_owned(), "d".to_owned())]),
        models: BTreeMap::from([("org/tiny".to_owned(), "c0ffee".to_owned())]),
        imported: Some(Imported {
            file: "tiny.Q4_1.gguf".to_owned(),
            sha256: "f00d".to_owned(),
            quantisation: "Q4_1".to_owned(),
        }),
        command: vec!["flaglab".to_owned(), "sweep".to_owned()],
    }
}

pub(super) fn step_row(t: u32) -> StepRecord {
    StepRecord {
        split: if t.is_multiple_of(2) { SplitName::Train } else { SplitName::Test },
        episode: 0,
        t,
        date: NaiveDate::from_ymd_opt(2020, 10, 1).unwrap() + chrono::Days::new(t.into()),
        action: Action::ALL[t as usize % 3],
        position: 1.0,
        price: 100.0 + f64::from(t),
        cash: 0.0,
        equity: 100_000.0,
        reward: 0.25,
        log_prob: (t > 0).then_some(-1.0),
        value: None,
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop::sample::select(&Action::ALL[..])
}

fn split() -> impl Strategy<Value = SplitName> {
    prop::sample::select(&[SplitName::Train, SplitName::Valid, SplitName::Test][..])
}

/// Any date that the calendar has, the Unix epoch's neighbours among them.
fn date() -> impl Strategy<Value = NaiveDate> {
    (-800_000i32..800_000).prop_map(|d| NaiveDate::from_num_days_from_ce_opt(d + 719_163).unwrap())
}

/// Every finite number and the infinities; NaN is left out because it is not equal to itself.
fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("comparable", |v| !v.is_nan())
}

fn small() -> impl Strategy<Value = Option<f32>> {
    prop::option::of(any::<f32>().prop_filter("comparable", |v| !v.is_nan()))
}

prop_compose! {
    pub(super) fn steps()(
        split in split(), episode: u32, t: u32, date in date(), action in action(), position in number(),
        price in number(), cash in number(), equity in number(), reward in number(), log_prob in small(), value in small(),
    ) -> StepRecord {
        StepRecord { split, episode, t, date, action, position, price, cash, equity, reward, log_prob, value }
    }
}

prop_compose! {
    pub(super) fn updates()(
        update: u32, global_step: u64, n in prop::collection::vec(number(), 11),
        optional in prop::collection::vec(prop::option::of(number()), 3),
    ) -> UpdateRecord {
        UpdateRecord {
            update,
            global_step,
            learning_rate: n[0],
            policy_loss: n[1],
            value_loss: n[2],
            entropy: n[3],
            kl: optional[0],
            approx_kl: n[4],
            clipfrac: n[5],
            explained_variance: optional[1],
            grad_norm: n[6],
            first_ratio_error: n[7],
            episode_return: optional[2],
            share_sell: n[8],
            share_hold: n[9],
            share_buy: n[10],
        }
    }
}

prop_compose! {
    pub(super) fn timings()(
        update: u32, steps_per_s in number(), tokens_per_s in number(), cache: [u64; 4], rss_bytes: u64,
    ) -> TimingRecord {
        let [cache_hits, cache_misses, cache_spilled, cache_extended] = cache;
        TimingRecord {
            update, steps_per_s, tokens_per_s, cache_hits, cache_misses, cache_spilled, cache_extended, rss_bytes,
        }
    }
}
