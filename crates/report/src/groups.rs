//! Runs that may stand in one table: same data, same split (a control's order aside), same trading rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use trading_env::Role;

use crate::{PlannedArm, ReportInput, ReportRun, settings};

/// The sections that make a group.
pub(crate) const SECTIONS: [&str; 3] = ["data", "split", "rules"];

/// What a control may change in them.
const SHUFFLE: &str = "split.shuffle";

/// Arms in the charts of a group at most.
pub(crate) const MOST_DRAWN: usize = 48;

/// Arms, baselines and controls on one test window under one set of rules.
pub(crate) struct Group<'a> {
    pub input: &'a ReportInput,
    /// Indices into the plan's arms, in plan order.
    pub arms: Vec<usize>,
}

/// The groups in plan order.
pub(crate) fn groups(input: &ReportInput) -> Vec<Group<'_>> {
    let mut keys: Vec<(Option<&str>, [Option<Value>; 3])> = Vec::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (i, arm) in input.plan.arms.iter().enumerate() {
        // A control trades the same window, shuffled or not.
        let without_shuffle = |mut value: Value| {
            value.as_object_mut().map(|section| section.remove("shuffle"));
            value
        };
        let key = (task(arm), SECTIONS.map(|section| arm.spec.get(section).cloned().map(without_shuffle)));
        match keys.iter().position(|k| *k == key) {
            Some(g) => groups[g].arms.push(i),
            None => {
                keys.push(key);
                groups.push(Group { input, arms: vec![i] });
            }
        }
    }
    groups
}

/// Settings that tell each group from the others of the same name, as `key = value`; none where no other has its name.
pub(crate) fn told_apart(groups: &[Group<'_>]) -> Vec<Vec<String>> {
    let names: Vec<(String, String)> = groups.iter().map(|group| (group.name(), group.rules())).collect();
    let sections: Vec<BTreeMap<String, Value>> = groups.iter().map(Group::settings).collect();
    let of = |group: usize| -> Vec<String> {
        let alike: Vec<usize> = (0..groups.len()).filter(|other| names[*other] == names[group]).collect();
        let keys: BTreeSet<&String> = alike.iter().flat_map(|other| sections[*other].keys()).collect();
        let own = &sections[group];
        let differ = |key: &&String| alike.iter().any(|other| sections[*other].get(*key) != own.get(*key));
        let told = |key: &String| {
            format!("{key} = {}", own.get(key).map_or_else(|| "not set".to_owned(), settings::text))
        };
        keys.into_iter().filter(differ).map(told).collect()
    };
    (0..groups.len()).map(of).collect()
}

/// No two are the same: the asset, the rules where not all groups have the same, and what else tells groups apart.
pub(crate) fn headings(groups: &[Group<'_>]) -> Vec<String> {
    let has_rules = groups.iter().any(|group| group.rules() != groups[0].rules());
    let heading = |(group, apart): (&Group<'_>, Vec<String>)| {
        let rules = has_rules.then(|| group.rules());
        std::iter::once(group.name()).chain(rules).chain(apart).collect::<Vec<_>>().join(" · ")
    };
    groups.iter().zip(told_apart(groups)).map(heading).collect()
}

/// Name of an arm's task.
fn task(arm: &PlannedArm) -> Option<&str> {
    arm.place.task.as_ref().map(|task| task.name.as_str())
}

/// Kind of an arm's agent.
pub(crate) fn agent_kind(arm: &PlannedArm) -> Option<&str> {
    arm.spec.get("agent")?.get("kind")?.as_str()
}

/// First and last day of the test window as planned.
pub(crate) fn planned_window(arm: &PlannedArm) -> Option<(String, String)> {
    settings::dates(&arm.spec, "split.test")
}

impl<'a> Group<'a> {
    /// The arms of a role.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        self.arms.iter().copied().filter(move |i| self.arm(*i).role == role)
    }

    pub(crate) fn arm(&self, index: usize) -> &'a PlannedArm {
        &self.input.plan.arms[index]
    }

    /// The first baseline whose agent is of that kind.
    pub(crate) fn baseline(&self, kind: &str) -> Option<usize> {
        self.of_role(Role::Baseline).find(|arm| agent_kind(self.arm(*arm)) == Some(kind))
    }

    /// The group with as many arms as a chart can hold: the first ones, all controls and all baselines.
    pub(crate) fn drawn(&self) -> Group<'a> {
        let mut arms = 0;
        let is_drawn = |index: &usize| {
            let is_arm = self.arm(*index).role == Role::Arm;
            arms += usize::from(is_arm);
            !is_arm || arms <= MOST_DRAWN
        };
        Group { input: self.input, arms: self.arms.iter().copied().filter(is_drawn).collect() }
    }

    /// The planned runs of an arm, in plan order.
    pub(crate) fn runs(&self, arm: usize) -> impl Iterator<Item = &'a ReportRun> + '_ {
        self.input.runs.iter().filter(move |r| r.arm == arm)
    }

    /// The first manifest that any run of the group has.
    fn manifest(&self) -> Option<&'a store::Manifest> {
        self.arms.iter().find_map(|arm| self.runs(*arm).find_map(|r| r.manifest.as_ref()))
    }

    /// Every setting that makes the group.
    fn settings(&self) -> BTreeMap<String, Value> {
        let sections = self.arm(self.arms[0]).spec.iter();
        let ours = sections.filter(|(section, _)| SECTIONS.contains(&section.as_str()));
        let ours: Map<String, Value> = ours.map(|(name, section)| (name.clone(), section.clone())).collect();
        settings::flatten(&ours).into_iter().filter(|(key, _)| key != SHUFFLE).collect()
    }

    fn spec(&self, key: &str) -> Option<String> {
        settings::at(&self.arm(self.arms[0]).spec, key).filter(|v| !v.is_null()).map(|v| settings::text(&v))
    }

    /// Name of the asset; before any run, what the plan says of the data.
    pub(crate) fn symbol(&self) -> String {
        let started = self.manifest().map(|m| m.start.data.symbol.clone());
        started
            .or_else(|| self.spec("data.symbol"))
            .or_else(|| self.spec("data"))
            .unwrap_or_else(|| "data".to_owned())
    }

    /// The asset, with the task where its name is another.
    pub(crate) fn name(&self) -> String {
        let symbol = self.symbol();
        match task(self.arm(self.arms[0])) {
            Some(task) if task != symbol => format!("{task}: {symbol}"),
            _ => symbol,
        }
    }

    /// Name of the trading rules.
    pub(crate) fn rules(&self) -> String {
        self.spec("rules").unwrap_or_else(|| "unnamed".to_owned())
    }

    /// First and last day of the test window as planned.
    pub(crate) fn window(&self) -> Option<(String, String)> {
        planned_window(self.arm(self.arms[0]))
    }

    /// The arm that is like the base in everything but what makes the group, if there is one: with several data sets
    /// each has its own.
    pub(crate) fn base(&self) -> Option<usize> {
        let base = &self.input.plan.base;
        let is_ours = |key: &str| !SECTIONS.contains(&key.split('.').next().unwrap_or(key));
        let is_base =
            |i: &usize| settings::differences(base, &self.arm(*i).spec).iter().all(|d| !is_ours(&d.key));
        self.of_role(Role::Arm).find(is_base)
    }
}
