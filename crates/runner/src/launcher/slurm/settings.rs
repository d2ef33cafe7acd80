//! What `[launcher.slurm]` may say.

use plugin::{BuildError, ParamError, toml_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Options of sbatch that say where a task's output goes and which tasks there are: collecting relies on them.
const OURS: [&str; 9] =
    ["--array", "-a", "--output", "-o", "--chdir", "-D", "--wrap", "--open-mode", "--parsable"];

/// Parameters of the launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Partition, or several with commas between; absent: the cluster's default.
    #[schemars(length(min = 1))]
    pub partition: Option<String>,
    /// Account that pays.
    #[schemars(length(min = 1))]
    pub account: Option<String>,
    /// Quality of service.
    #[schemars(length(min = 1))]
    pub qos: Option<String>,
    /// Longest time of a task in Slurm's words: minutes, `HH:MM:SS`, `D-HH` or `D-HH:MM:SS`; absent: the partition's. A minute before its end a task is told to save where it is.
    pub time: Option<String>,
    /// Memory of a task, a whole number with `K`, `M`, `G` or `T`; absent: `run.memory_limit_mib`, else the partition's.
    pub memory: Option<String>,
    /// Cores of a task: as many threads share a run's work.
    #[schemars(range(min = 1, max = 65536))]
    pub cpus_per_task: u32,
    /// GPUs of a task.
    #[schemars(range(max = 1024))]
    pub gpus: u32,
    /// Tasks at the same time; absent: as many as the cluster has room for.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_parallel: Option<u32>,
    /// Runs of a task, for runs that are shorter than their wait in the queue: one after the other, and side by side those of
    /// an arm that read a large model together.
    #[schemars(range(min = 1, max = 100_000))]
    pub runs_per_task: u32,
    /// Lines of bash before the runs of a task: modules, variables.
    pub setup: Vec<String>,
    /// Further options of sbatch, one each: `"--constraint=a100"`.
    pub extra: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            qos: None,
            time: None,
            memory: None,
            cpus_per_task: 1,
            gpus: 0,
            max_parallel: None,
            runs_per_task: 1,
            setup: Vec::new(),
            extra: Vec::new(),
        }
    }
}

impl Settings {
    /// What the schema cannot say.
    pub fn check(params: &Value) -> Result<(), Vec<ParamError>> {
        let settings: Settings = plugin::params(params).map_err(|e: BuildError| {
            vec![ParamError {
                key: String::new(),
                found: toml_text(params),
                expected: format!("the launcher's keys: {e}"),
            }]
        })?;
        let mut errors = Vec::new();
        let mut wrong = |key: String, found: &str, expected: &str| {
            let (found, expected) = (toml_text(&Value::from(found)), expected.to_owned());
            errors.push(ParamError { key, found, expected });
        };
        let names =
            [("partition", &settings.partition), ("account", &settings.account), ("qos", &settings.qos)];
        for (key, name) in names {
            if let Some(name) =
                name.as_ref().filter(|n| n.chars().any(|c| c.is_whitespace() || c.is_control()))
            {
                wrong(key.to_owned(), name, "a name without spaces");
            }
        }
        if let Some(time) = settings.time.as_ref().filter(|time| !is_time(time)) {
            wrong("time".to_owned(), time, "minutes, M:SS, H:MM:SS, D-H, D-H:MM, D-H:MM:SS or UNLIMITED");
        }
        if let Some(memory) = settings.memory.as_ref().filter(|memory| !is_memory(memory)) {
            wrong("memory".to_owned(), memory, "a whole number > 0 with K, M, G or T");
        }
        for (i, line) in settings.setup.iter().enumerate() {
            if line.chars().any(|c| c.is_control() && c != '\t' && c != '\n') {
                wrong(format!("setup[{i}]"), line, "a line of bash without control characters");
            }
        }
        for (i, option) in settings.extra.iter().enumerate() {
            let key = format!("extra[{i}]");
            let name = option.split(['=', ' ']).next().unwrap_or_default();
            let word = name.trim_start_matches('-');
            if !option.starts_with('-') || word.is_empty() || option.chars().any(char::is_control) {
                wrong(key, option, "an option of sbatch, `--name=value`");
            } else if is_ours(name) {
                wrong(
                    key,
                    option,
                    &format!("an option that is not the launcher's own ({})", OURS.join(", ")),
                );
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// Whether sbatch reads it as one of ours: long options may be cut, and the value of short ones follows at once.
fn is_ours(name: &str) -> bool {
    let long = name.starts_with("--");
    OURS.iter().any(|ours| match ours.starts_with("--") {
        true => long && ours.starts_with(name),
        false => !long && name.starts_with(ours),
    })
}

/// A time limit as sbatch reads it.
fn is_time(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
    let numbers = |text: &str, most: usize| {
        let parts: Vec<&str> = text.split(':').collect();
        parts.len() <= most && parts.into_iter().all(number)
    };
    match text.split_once('-') {
        Some((days, rest)) => number(days) && numbers(rest, 3),
        None => numbers(text, 3) || text.eq_ignore_ascii_case("unlimited"),
    }
}

fn is_memory(text: &str) -> bool {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']);
    text.len() - digits.len() == 1 && digits.parse::<u64>().is_ok_and(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors_of(params: &Value) -> Vec<String> {
        let mut all = serde_json::to_value(Settings::default()).unwrap();
        for (key, value) in params.as_object().unwrap() {
            all[key] = value.clone();
        }
        let errors = Settings::check(&all).err().unwrap_or_default();
        errors.into_iter().map(|e| e.to_string()).collect()
    }

    #[test]
    fn times_and_memory_are_those_that_sbatch_reads() {
        for time in ["90", "90:00", "04:00:00", "2-12", "2-12:30", "2-12:30:00", "UNLIMITED"] {
            assert!(errors_of(&json!({ "time": time })).is_empty(), "{time}");
        }
        for time in ["", "4h", "04:00:00:00", "-4", "2-", "1:2:x", "1e3", "٣", "4 "] {
            assert_eq!(errors_of(&json!({ "time": time })).len(), 1, "{time}");
        }
        for memory in ["8G", "512M", "1t"] {
            assert!(errors_of(&json!({ "memory": memory })).is_empty(), "{memory}");
        }
        for memory in ["", "8", "8GB", "0G", "G", "-1G", "1.5G"] {
            assert_eq!(errors_of(&json!({ "memory": memory })).len(), 1, "{memory}");
        }
    }

    #[test]
    fn what_would_end_the_script_s_line_or_lose_the_tasks_is_refused() {
        assert_eq!(
            errors_of(
                &json!({ "partition": "gpu\n#SBATCH --wrap", "extra": ["constraint", "--array=0-3", "-o x", "-C a100"] })
            ),
            [
                r##"partition: expected a name without spaces, found "gpu\n#SBATCH --wrap""##,
                r#"extra[0]: expected an option of sbatch, `--name=value`, found "constraint""#,
                r#"extra[1]: expected an option that is not the launcher's own (--array, -a, --output, -o, --chdir, -D, --wrap, --open-mode, --parsable), found "--array=0-3""#,
                r#"extra[2]: expected an option that is not the launcher's own (--array, -a, --output, -o, --chdir, -D, --wrap, --open-mode, --parsable), found "-o x""#,
            ]
        );
        assert_eq!(errors_of(&json!({ "setup": ["module load cuda\u{7}"] })).len(), 1);
        assert!(errors_of(&json!({ "setup": ["module load cuda", "\texport A='b c'"] })).is_empty());
    }
}
