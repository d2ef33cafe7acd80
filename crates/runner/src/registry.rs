//! All plugins that one binary knows: a catalogue per kind.

use experiment::{Control, Identity, Section, Sections};
use market_data::{SourceKind, SplitSpec};
use plugin::{Catalog, Kind, Plugin, PluginInfo};
use trading_env::{AgentKind, BackendKind, EnvConfig, RewardKind, RulesKind};

use crate::LauncherKind;

/// Catalogues of every kind, filled by the binary (`flaglab::builtins()`) and extended by outside crates:
/// `flaglab::run(flaglab::builtins().agent(&Mine))`. A later plugin of the same name takes the earlier one's place.
#[derive(Clone, Default)]
pub struct Registry {
    /// Data sources: section `data`.
    pub sources: Catalog<SourceKind>,
    /// Trading rules: section `rules`.
    pub rules: Catalog<RulesKind>,
    /// Rewards: section `reward`.
    pub rewards: Catalog<RewardKind>,
    /// Agents: section `agent`, and `baselines`.
    pub agents: Catalog<AgentKind>,
    /// Compute devices: section `backend`.
    pub backends: Catalog<BackendKind>,
    /// Ways to start runs: section `launcher`.
    pub launchers: Catalog<LauncherKind>,
    /// Controls that an experiment may ask for by name.
    pub controls: Vec<Control>,
    /// Version of the tensor library that the agents use, for manifests; absent in a binary without one.
    pub burn: Option<&'static str>,
    /// Commit of the source that the binary was built from; absent where the build did not know.
    pub commit: Option<&'static str>,
}

impl Registry {
    /// Adds a data source.
    pub fn source(mut self, plugin: &'static dyn Plugin<SourceKind>) -> Self {
        self.sources.add(plugin);
        self
    }

    /// Adds trading rules.
    pub fn rules(mut self, plugin: &'static dyn Plugin<RulesKind>) -> Self {
        self.rules.add(plugin);
        self
    }

    /// Adds a reward.
    pub fn reward(mut self, plugin: &'static dyn Plugin<RewardKind>) -> Self {
        self.rewards.add(plugin);
        self
    }

    /// Adds an agent.
    pub fn agent(mut self, plugin: &'static dyn Plugin<AgentKind>) -> Self {
        self.agents.add(plugin);
        self
    }

    /// Adds a compute device.
    pub fn backend(mut self, plugin: &'static dyn Plugin<BackendKind>) -> Self {
        self.backends.add(plugin);
        self
    }

    /// Adds a launcher.
    pub fn launcher(mut self, plugin: &'static dyn Plugin<LauncherKind>) -> Self {
        self.launchers.add(plugin);
        self
    }

    /// Adds a control.
    pub fn control(mut self, control: Control) -> Self {
        self.controls.push(control);
        self
    }

    /// Version of flaglab, with the commit where that is known.
    pub fn version(&self) -> String {
        let commit = self.commit.map(|commit| format!(" ({commit})"));
        env!("CARGO_PKG_VERSION").to_owned() + &commit.unwrap_or_default()
    }

    /// Every kind with its plugins, in the order of listings: what `plugins` prints and what experiment files are
    /// checked against.
    pub fn kinds(&self) -> Vec<(&'static str, Vec<PluginInfo>)> {
        vec![
            (SourceKind::SECTION, self.sources.infos()),
            (RulesKind::SECTION, self.rules.infos()),
            (RewardKind::SECTION, self.rewards.infos()),
            (AgentKind::SECTION, self.agents.infos()),
            (BackendKind::SECTION, self.backends.infos()),
            (LauncherKind::SECTION, self.launchers.infos()),
        ]
    }
}

impl Registry {
    /// The sections of experiment files and what each may hold.
    pub fn sections(&self) -> Sections {
        let split = plugin::schema_of::<SplitSpec>();
        let env = plugin::schema_of::<EnvConfig>();
        let mut backend = Section::plugin(
            BackendKind::SECTION,
            "Where tensors are computed; shorthand `backend = \"flex\"`.",
            self.backends.infos(),
            Identity::Params,
        );
        if let Some(first) = self.backends.iter().next() {
            backend = backend.or_kind(first.name());
        }
        let mut launcher = Section::tables(
            LauncherKind::SECTION,
            "Who carries out the runs; shorthand `launcher = \"slurm\"`, or `--launcher slurm`. The parameters of each stand \
             in a table of its name and stay there whichever is chosen, so that one file serves several machines.",
            self.launchers.infos(),
            Identity::None,
        );
        if let Some(first) = self.launchers.iter().next() {
            launcher = launcher.or_kind(first.name());
        }
        Sections::new(vec![
            backend,
            Section::plugin(
                SourceKind::SECTION,
                "Bars and news of one asset. Not hashed: the digest of the loaded data stands for it.",
                self.sources.infos(),
                Identity::ContentOnly,
            ),
            Section::fixed(SplitSpec::SECTION, "Parts of the data by date.", split, Identity::Params)
                .with_check(|value| {
                    let errors = SplitSpec::check(value);
                    if errors.is_empty() { Ok(()) } else { Err(errors) }
                }),
            Section::plugin(
                RulesKind::SECTION,
                "What an action does to the account.",
                self.rules.infos(),
                Identity::Params,
            ),
            Section::plugin(
                RewardKind::SECTION,
                "What the agent is trained on.",
                self.rewards.infos(),
                Identity::Params,
            ),
            Section::fixed("env", "Episodes, account and memory.", env, Identity::Params),
            Section::plugin(AgentKind::SECTION, "Who trades.", self.agents.infos(), Identity::Params),
            launcher,
        ])
        .with_controls(self.controls.clone())
    }
}
