//! What every reward promises.

use plugin::Plugin;
use plugin::contract::{edges, settings, who};
use serde_json::Value;

use crate::{RewardFn, RewardKind, Transition};

/// Checks a reward plugin with the settings `given`: its settings as [`plugin::contract::settings`] does; with them, and
/// with each number at its bounds, every reward is finite, whatever becomes of the account; the same steps give the same
/// rewards, from another instance, after a reset and from a fresh one; instances do not know of each other.
///
/// # Panics
/// When a promise is broken.
pub fn reward(plugin: &dyn Plugin<RewardKind>, given: &Value) {
    let params = settings(plugin, given, |p| plugin.build(p, ()).map(drop));
    check(&who(plugin), || plugin.build(&params, ()).expect("invariant: the defaults build"));
    for edge in edges(plugin, &params) {
        // A number at its bound may not go with the others; that is for the plugin to say.
        if plugin.build(&edge, ()).is_ok() {
            let who = format!("{} with {edge}", who(plugin));
            check(&who, || plugin.build(&edge, ()).expect("invariant: it was built before"));
        }
    }
}

/// Equity from step to step.
fn paths() -> Vec<Vec<f64>> {
    let wave = |i: u32| 1e5 * (1.0 + 0.1 * (f64::from(i) * 0.7).sin() + 0.001 * f64::from(i));
    let mut paths = vec![
        (0..60).map(wave).collect(),
        (0..60).rev().map(wave).collect(),
        vec![1e5; 12],
        // What the rounding of an order leaves.
        (0..12).map(|i| 1e5 + 1.5e-11 * f64::from(i % 2)).collect(),
        (0..12).map(|i| 1e5 * 1.01f64.powi(i)).collect(),
        (0..12).map(|i| 1e5 * 0.5f64.powi(i)).collect(),
        vec![1e-3, 1e12, 1e-3, 1e12],
    ];
    for end in [1e-300, 0.0, -5.0, f64::NAN, f64::INFINITY] {
        paths.push(vec![1e5, 1.01e5, 1e5, end]);
        paths.push(vec![1e5, end]);
    }
    paths
}

fn rewards(who: &str, reward: &mut dyn RewardFn, path: &[f64]) -> Vec<f64> {
    let step = |pair: &[f64]| {
        let found = reward.step(Transition { before: pair[0], after: pair[1] });
        assert!(found.is_finite(), "{who}: a reward is finite, found {found} for {} to {}", pair[0], pair[1]);
        found
    };
    path.windows(2).map(step).collect()
}

fn check(who: &str, build: impl Fn() -> Box<dyn RewardFn>) {
    let paths = paths();
    let first: Vec<Vec<f64>> = paths.iter().map(|path| rewards(who, &mut *build(), path)).collect();
    let mut used = build();
    for (path, wanted) in paths.iter().zip(&first) {
        let found = rewards(who, &mut *build(), path);
        assert_eq!(&found, wanted, "{who}: the same steps give the same rewards");
        used.reset();
        let found = rewards(who, &mut *used, path);
        assert_eq!(&found, wanted, "{who}: a reset forgets the episode before");
        let found = rewards(who, &mut *used.fresh(), path);
        assert_eq!(&found, wanted, "{who}: a fresh instance is at the start of an episode");
    }
    let (mut one, mut other) = (used.fresh(), used.fresh());
    for (i, (pair, others)) in paths[0].windows(2).zip(paths[1].windows(2)).enumerate() {
        let found = rewards(who, &mut *one, pair)[0];
        rewards(who, &mut *other, others);
        assert_eq!(found, first[0][i], "{who}: instances do not know of each other");
    }
}
