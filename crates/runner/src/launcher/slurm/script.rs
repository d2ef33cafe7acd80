//! The batch script of a job array.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::launcher::{LaunchError, Worker};

/// Seconds before a task's time limit at which it is told to save where it is.
const WARNING: u32 = 60;

/// What one script is made of.
pub(super) struct Script<'a> {
    pub settings: &'a Settings,
    /// Name of the experiment.
    pub name: &'a str,
    /// Folder of the script, the list of tasks and their output; absolute.
    pub folder: &'a Path,
    /// Tasks of the array.
    pub tasks: usize,
    /// Mebibytes that a run may take; 0: as many as there are.
    pub memory_mib: u64,
    pub worker: &'a Worker,
}

impl Script<'_> {
    /// File with the run ids of each task, a line each.
    pub fn list(folder: &Path) -> PathBuf {
        folder.join("tasks")
    }

    pub fn file(folder: &Path) -> PathBuf {
        folder.join("script.sh")
    }

    /// What a task has written.
    pub fn log(folder: &Path, task: usize) -> PathBuf {
        folder.join(format!("task-{task}.log"))
    }

    pub fn text(&self) -> Result<String, LaunchError> {
        let settings = self.settings;
        let parallel = settings.max_parallel.map(|n| format!("%{n}")).unwrap_or_default();
        let output = self.folder.join("task-%a.log");
        let mut options = vec![
            format!("--job-name={}", job_name(self.name)),
            format!("--array=0-{}{parallel}", self.tasks.saturating_sub(1)),
            format!("--chdir={}", plain(&self.worker.dir)?),
            format!("--output={}", pattern(plain(&output)?)?),
            // A task that lost its node begins again and goes on from the last point that was saved; both times are told.
            "--requeue".to_owned(),
            "--open-mode=append".to_owned(),
            "--nodes=1".to_owned(),
            "--ntasks=1".to_owned(),
            format!("--cpus-per-task={}", settings.cpus_per_task),
            format!("--signal=B:TERM@{WARNING}"),
        ];
        let limit = (self.memory_mib > 0).then(|| format!("{}M", self.memory_mib));
        let named = [
            ("partition", &settings.partition),
            ("account", &settings.account),
            ("qos", &settings.qos),
            ("time", &settings.time),
            ("mem", settings.memory.as_ref().map_or(&limit, |_| &settings.memory)),
        ];
        for (option, value) in named {
            options.extend(value.as_ref().map(|value| format!("--{option}={value}")));
        }
        if settings.gpus > 0 {
            options.push(format!("--gres=gpu:{}", settings.gpus));
        }
        let mut text = String::from("#!/bin/bash\n");
        for option in &options {
            text += &format!("#SBATCH {}\n", for_sbatch(option));
        }
        for option in &settings.extra {
            // As it stands: its writer knows what sbatch makes of quotes.
            text += &format!("#SBATCH {option}\n");
        }
        let list = quoted(plain(&Self::list(self.folder))?);
        text += &format!(
            "\n# The runs of this task.\nruns=\"$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {list})\"\n"
        );
        text += "[ -n \"$runs\" ] || { echo \"this node does not see the list of tasks: is its folder shared?\" >&2; exit 2; }\n";
        text += "export RAYON_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-1}\" OMP_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-1}\"\n";
        // By themselves too, for sites whose sbatch hands nothing over.
        for (name, value) in &self.worker.env {
            if value.contains('\0') {
                return Err(LaunchError(format!("{name}={value:?} cannot be passed to a process")));
            }
            text += &format!("export {name}={}\n", quoted(value));
        }
        for line in &settings.setup {
            text += line;
            text.push('\n');
        }
        // In the shell's place, so that Slurm's signals reach it.
        text += &format!("exec {}", quoted(plain(&self.worker.program)?));
        for argument in &self.worker.args {
            if argument.contains('\0') {
                return Err(LaunchError(format!("{argument:?} cannot be passed to a process")));
            }
            text += &format!(" {}", quoted(argument));
        }
        if self.memory_mib > 0 {
            text += &format!(" {} {}", Worker::MEMORY, self.memory_mib);
        }
        text += " --runs \"$runs\"\n";
        Ok(text)
    }
}

/// Letters, digits and `-_.` of the experiment's name.
fn job_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("flaglab-{}", name.chars().map(safe).collect::<String>())
}

/// A path as text of one line.
fn plain(path: &Path) -> Result<&str, LaunchError> {
    path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(|| {
        LaunchError(format!("{}: Slurm needs a path of UTF-8 without control characters", path.display()))
    })
}

/// A file name in which sbatch fills in `%a` alone. One with a backslash it takes as it is.
fn pattern(path: &str) -> Result<String, LaunchError> {
    if path.contains('\\') {
        return Err(LaunchError(format!("{path}: Slurm cannot write to a path with a backslash")));
    }
    Ok(path.replace('%', "%%").replace("/task-%%a.log", "/task-%a.log"))
}

/// An option on a `#SBATCH` line: quoted where sbatch would see its end, a comment or a quote.
fn for_sbatch(option: &str) -> String {
    if option.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,%@+".contains(c)) {
        return option.to_owned();
    }
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word of bash.
fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,%@+".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Command;

    use super::*;

    fn worker() -> Worker {
        let args = ["work", "/my experiments/a.toml", "--set", "agent.kind='it\"s'", "--set", "title="];
        Worker {
            program: "/opt/flag lab/flaglab".into(),
            args: args.map(str::to_owned).to_vec(),
            dir: "/work".into(),
            env: vec![
                ("FLAGLAB_RUNS".into(), "/runs/50%".into()),
                ("FLAGLAB_SET__title".into(), "it's".into()),
            ],
        }
    }

    #[test]
    fn every_setting_stands_in_the_script() {
        let settings = Settings {
            partition: Some("gpu,long".into()),
            account: Some("lab".into()),
            qos: Some("low".into()),
            time: Some("1-04:00:00".into()),
            memory: Some("8G".into()),
            cpus_per_task: 4,
            gpus: 1,
            max_parallel: Some(3),
            runs_per_task: 2,
            setup: vec!["module load cuda".into(), "export A='b c'".into()],
            extra: vec!["--constraint=a100".into(), "--exclude node[3-4]".into()],
        };
        let script = Script {
            settings: &settings,
            name: "my sweep",
            folder: Path::new("/runs/50%/my \"sweep\"/.slurm/7"),
            tasks: 12,
            memory_mib: 4096,
            worker: &worker(),
        };
        assert_eq!(script.text().unwrap(), include_str!("script.snap"));
    }

    #[test]
    fn a_script_without_settings_names_none() {
        let script = Script {
            settings: &Settings::default(),
            name: "a",
            folder: Path::new("/runs/a/.slurm/1"),
            tasks: 1,
            memory_mib: 0,
            worker: &worker(),
        };
        let text = script.text().unwrap();
        for absent in ["--partition", "--account", "--qos", "--time", "--mem", "--gres", "%1"] {
            assert!(!text.contains(absent), "{absent}");
        }
        assert!(text.contains("#SBATCH --array=0-0\n"), "{text}");
    }

    #[test]
    fn bash_hands_over_what_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a b'c\"$HOME`d`");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Script::list(&folder), "aa\nbb,cc\n").unwrap();
        let odd = ["", "$HOME", "it's", "a\nb", "`id`", "\\", "*", "--x=\"y\"", "#"];
        let args = ["-c", "printf '[%s]' \"$@\"", "program"].into_iter().chain(odd);
        let worker = Worker {
            program: "/bin/sh".into(),
            args: args.map(str::to_owned).collect(),
            dir: "/".into(),
            env: Vec::new(),
        };
        let settings = Settings { setup: vec!["A=1".into()], ..Settings::default() };
        let script = Script {
            settings: &settings,
            name: "x",
            folder: &folder,
            tasks: 2,
            memory_mib: 0,
            worker: &worker,
        };
        let text = script.text().unwrap();
        let output =
            Command::new("bash").arg("-c").arg(text).env("SLURM_ARRAY_TASK_ID", "1").output().unwrap();
        let expected: String = odd.into_iter().chain(["--runs", "bb,cc"]).map(|a| format!("[{a}]")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    #[test]
    fn what_slurm_cannot_write_to_is_refused() {
        let script = |folder: &str| {
            Script {
                settings: &Settings::default(),
                name: "x",
                folder: Path::new(folder),
                tasks: 1,
                memory_mib: 0,
                worker: &worker(),
            }
            .text()
        };
        assert!(script("/runs/a\nb").unwrap_err().0.contains("control characters"));
        assert!(script("/runs/a\\b").unwrap_err().0.contains("backslash"));
    }
}
