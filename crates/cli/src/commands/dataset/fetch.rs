//! `dataset fetch`: real data, which the repository does not hold.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::PublishedFile;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::{Paths, shown};

/// Arguments of `dataset fetch`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Data set: investor-bench.
    name: String,
    /// Folder of real data, in which the data set has a folder of its name; default `FLAGLAB_DATA`, else `data` of the
    /// workspace.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Mirror of the data set's repository, which has the same files at the same paths; default GitHub.
    #[arg(long, value_name = "URL", value_parser = url)]
    from: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `dataset fetch`.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let Some(set) = hub::dataset(&args.name) else {
        let known: Vec<&str> = hub::datasets().iter().map(|set| set.name).collect();
        return Err(Failure::unknown("unknown data set", &args.name, &known));
    };
    let current = std::env::current_dir().unwrap_or_default();
    let found = Paths::of(&current).data();
    let data = args.out.clone().unwrap_or_else(|| found.clone());
    let folder = data.join(set.name);
    let fetched = set.fetch(&folder, args.from.as_deref(), |file| {
        // A closed stderr stops no download.
        let _ = writeln!(std::io::stderr(), "fetching {}, {} kB", file.name(), file.size.div_ceil(1000));
    })?;
    let is_new = |file: &PublishedFile| fetched.contains(&file);
    match args.format {
        Format::Text => {
            let how = |file| if is_new(file) { "fetched" } else { "already there" };
            let mut lines: Vec<String> =
                set.files.iter().map(|file| format!("{}: {}", file.name(), how(file))).collect();
            lines.push(shown(&folder));
            lines.push(format!("licence {}, whose text is in {}", set.licence, set.notice));
            lines.push(format!("{} at {}", set.source(), set.revision));
            lines.push(usage(&data, &found));
            output::print(&lines.join("\n"));
        }
        Format::Json => {
            let file = |file: &PublishedFile| {
                let (name, fetched) = (file.name(), is_new(file));
                json!({ "name": name, "size": file.size, "sha256": file.sha256, "fetched": fetched })
            };
            output::print_json(&json!({
                "name": set.name,
                "folder": shown(&folder),
                "data": shown(&data),
                "licence": set.licence,
                "notice": set.notice,
                "source": set.source(),
                "revision": set.revision,
                "files": set.files.iter().map(file).collect::<Vec<Value>>(),
            }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How experiments find the data; without being told they look at `found`.
fn usage(data: &Path, found: &Path) -> String {
    let program = plugin::program();
    if data == found {
        return format!("`{program} sweep FILE.toml` finds it there");
    }
    let mut folder = shown(data);
    if folder.contains(' ') {
        folder = format!("\"{folder}\"");
    }
    format!("used by `FLAGLAB_DATA={folder} {program} sweep FILE.toml`")
}

/// A URL that a path can be put behind.
fn url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_part = |c: char| c.is_ascii_graphic() && !"?#".contains(c);
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') && host.chars().all(is_part) => {
            Ok(text.to_owned())
        }
        _ => Err("expected http://HOST/PATH or https://HOST/PATH".to_owned()),
    }
}

impl From<hub::PublishedError> for Failure {
    fn from(error: hub::PublishedError) -> Self {
        if error.is_input() { Failure::wrong(error.to_string()) } else { Failure::Broken(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_mirror_is_an_http_url() {
        for good in ["http://127.0.0.1:80", "https://example.org/mirrors/investor-bench/"] {
            assert_eq!(url(good).unwrap(), good);
        }
        for bad in
            ["", "http://", "http:///x", "example.org", "file:///x", "http://a b", "http://a?b", "http://a#b"]
        {
            assert!(url(bad).unwrap_err().starts_with("expected http"), "{bad}");
        }
    }
}
