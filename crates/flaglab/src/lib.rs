//! The built-in plugins, in one place, and what plugins of other crates need. An outside crate adds its own in its own
//! `main`, and has the whole command line:
//!
//! ```no_run
//! # use flaglab::prelude::*;
//! # fn main_with(mine: &'static dyn Plugin<RewardKind>) -> std::process::ExitCode {
//! flaglab::run(flaglab::builtins().reward(mine))
//! # }
//! ```
//!
//! Its plugins are written with the names of [`prelude`] and tested by the suites of [`contract`]. `docs/plugins.md` is the
//! guide, `examples/own-plugins` a crate that does it.

pub mod contract;
pub mod prelude;

pub use memory::Allocator;
pub use runner::Registry;
pub use {chrono, market_data, plugin, rand, serde_json, trading_env};

use std::process::ExitCode;

use experiment::Control;
use serde_json::Value;

/// Parses the process's arguments and carries out the command over `registry`: the `main` of a binary.
///
/// A binary that trains should have [`Allocator`] as its global allocator, as flaglab's own has.
pub fn run(registry: Registry) -> ExitCode {
    memory::keep_freed();
    cli::run(registry)
}

/// Every plugin that comes with flaglab, in the order of listings; the first backend and launcher are the defaults.
pub fn builtins() -> Registry {
    let mut registry = Registry {
        burn: burn_version(),
        commit: option_env!("FLAGLAB_COMMIT").filter(|commit| !commit.is_empty()),
        ..Registry::default()
    };
    for source in market_data::SOURCES {
        registry = registry.source(*source);
    }
    for rules in trading_env::RULES {
        registry = registry.rules(*rules);
    }
    for reward in trading_env::REWARDS {
        registry = registry.reward(*reward);
    }
    for agent in baselines::AGENTS.iter().chain(agents::AGENTS) {
        registry = registry.agent(*agent);
    }
    for backend in agents::BACKENDS {
        registry = registry.backend(*backend);
    }
    for (name, doc, (key, value)) in CONTROLS {
        let settings = vec![(key.to_owned(), Value::from(value))];
        registry = registry.control(Control { name: name.to_owned(), doc: doc.to_owned(), settings });
    }
    registry.launcher(&runner::Local).launcher(&runner::Isolated).launcher(&runner::Slurm)
}

/// Controls: name, what is taken away, and the key and value that do it.
const CONTROLS: [(&str, &str, (&str, &str)); 4] = [
    (
        "shuffled-news",
        "What is said on a day has nothing to do with what follows; an agent that still gains does not gain by reading.",
        ("split.shuffle", "news"),
    ),
    (
        "shuffled-returns",
        "The past has nothing to do with the future; an agent that still gains does not gain by foresight.",
        ("split.shuffle", "returns"),
    ),
    (
        "random-weights",
        "The same language model without what it has learned; tells whether its knowledge does anything.",
        ("agent.model.weights", "random"),
    ),
    (
        "ppo-mlp",
        "The same training on prices alone; tells whether the language does anything.",
        ("agent", "ppo-mlp"),
    ),
];

/// Version of burn that this binary was built with: what the workspace's lock file says, and its manifest asks for alone,
/// so that no other lock can give another.
fn burn_version() -> Option<&'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let (_, after) = lock.split_once("name = \"burn\"\nversion = \"")?;
    after.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lock_file_tells_the_version_of_burn_to_which_the_manifest_pins_it() {
        let version = super::burn_version().unwrap();
        let pin = format!("\nburn = {{ version = \"={version}\"");
        assert!(include_str!("../../../Cargo.toml").contains(&pin), "no {pin:?} in Cargo.toml");
    }
}
