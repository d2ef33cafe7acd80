//! Files of a new crate: those of `examples/own-plugins`.

/// A file of the example by its path there.
macro_rules! example {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../../examples/own-plugins/", $path)))
    };
}

/// Files that every kind has in part: lines in which only another kind occurs are left out.
const SHARED: [(&str, &str); 6] = [
    example!("Cargo.toml"),
    example!("src/main.rs"),
    example!("experiment.toml"),
    example!("README.md"),
    example!("flaglab.toml"),
    example!(".gitignore"),
];

/// Of the example and of no new crate, which has the lock.
const EXAMPLE_ONLY: [&str; 2] = ["/Cargo.lock", "In a copy, put"];

/// One kind of plugin in the example.
pub(super) struct Template {
    /// The word of the command line, and the name of its module.
    pub word: &'static str,
    /// The plugin's name in the example.
    name: &'static str,
    /// Files of this kind alone.
    files: &'static [(&'static str, &'static str)],
}

/// Kinds of the example.
pub(super) const KINDS: [Template; 3] = [
    Template { word: "reward", name: "underwater", files: &[example!("src/reward.rs")] },
    Template { word: "agent", name: "breakout", files: &[example!("src/agent.rs")] },
    Template {
        word: "source",
        name: "json-lines",
        files: &[example!("src/source.rs"), example!("prices.jsonl")],
    },
];

/// Name of the example's package, and what stands in its manifest for the dependency.
const PACKAGE: &str = "own-plugins";
const DEPENDENCY: &str = "{ path = \"../../crates/flaglab\" }";

impl Template {
    /// Paths and texts of a crate whose plugin is called `name` and that finds flaglab at `flaglab`.
    pub fn files(&self, name: &str, flaglab: &str) -> Vec<(&'static str, String)> {
        let shared = SHARED.iter().map(|(path, text)| (*path, self.without_others(text)));
        let own = self.files.iter().map(|(path, text)| (*path, (*text).to_owned()));
        let renamed = |(path, text): (&'static str, String)| {
            let text = text.replace(&type_name(self.name), &type_name(name)).replace(self.name, name);
            let text = text.replace(PACKAGE, &format!("flaglab-{name}"));
            (path, text.replace(DEPENDENCY, &format!("{{ path = {} }}", serde_json::Value::from(flaglab))))
        };
        shared.chain(own).map(renamed).collect()
    }

    /// Whether the source uses `word` for something.
    pub fn uses(&self, word: &str) -> bool {
        let texts = SHARED.iter().chain(self.files).filter(|(path, _)| path.ends_with(".rs"));
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let ours = type_name(self.name);
        texts.flat_map(|(_, text)| text.split(|c| !is_part(c))).any(|other| other == word && other != ours)
    }

    /// The lines of `text` that say nothing of another kind, or of the example alone.
    fn without_others(&self, text: &str) -> String {
        let others = || KINDS.iter().filter(|other| other.word != self.word);
        let is_ours = |line: &&str| {
            let of_another = |other: &Template| {
                let module = [format!("mod {};", other.word), format!("{}::", other.word)];
                let files = other.files.iter().any(|(path, _)| line.contains(path));
                files || line.contains(other.name) || module.iter().any(|word| line.contains(word))
            };
            !others().any(of_another) && !EXAMPLE_ONLY.iter().any(|only| line.starts_with(only))
        };
        let kept: Vec<&str> = text.lines().filter(is_ours).collect();
        format!("{}\n", kept.join("\n").trim_end())
    }
}

/// `MyReward` of `my-reward`.
pub(super) fn type_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    };
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_has_its_own_kind_and_nothing_of_the_others_or_the_example() {
        for template in &KINDS {
            let files = template.files("my-own", "/x/crates/flaglab");
            let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
            assert!(paths.contains(&format!("src/{}.rs", template.word).as_str()), "{paths:?}");
            for (path, text) in &files {
                for other in &KINDS {
                    assert!(!text.contains(other.name), "{}: {path}: {}", template.word, other.name);
                    assert!(!text.contains(&type_name(other.name)), "{}: {path}", template.word);
                    let foreign =
                        other.word != template.word && text.contains(&format!("mod {};", other.word));
                    assert!(!foreign, "{}: {path}: {}", template.word, other.word);
                }
                assert!(!text.contains(PACKAGE) && !text.contains("../.."), "{}: {path}", template.word);
            }
            let text = |name: &str| &files.iter().find(|(path, _)| *path == name).unwrap().1;
            assert!(text("Cargo.toml").contains("name = \"flaglab-my-own\""));
            assert!(text("Cargo.toml").contains("flaglab = { path = \"/x/crates/flaglab\" }"));
            assert!(text("src/main.rs").contains(&format!("({}::MyOwn)", template.word).replace('(', "(&")));
            assert!(text("experiment.toml").contains("{ name = \"built-in\" }"));
            assert!(text("experiment.toml").contains("{ name = \"my-own\""));
            assert!(text("README.md").contains(&format!("`src/{}.rs`", template.word)));
            assert!(!text(".gitignore").contains("Cargo.lock"), "the versions of a crate are kept");
        }
    }

    #[test]
    fn names_that_mean_something_in_the_source_are_known() {
        let reward = &KINDS[0];
        for used in ["Self", "Value", "Plugin", "Box", "State"] {
            assert!(reward.uses(used), "{used}");
        }
        assert!(!reward.uses("MyOwn") && !reward.uses("Underwater"));
        assert_eq!(type_name("top-10-days"), "Top10Days");
    }
}
