//! `docs/tutorial.md`, carried out by a reader who has nothing but the installed program.
//!
//! Blocks in `sh` are one script, in order; those in `toml` are saved under the name of their first line; what stands in
//! `text` after a block is what it prints. `...` stands for anything: a line of it for any lines. In `text numbers`, which
//! come from a training, every number with a decimal point may be another.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::Outcome;
use crate::{flaglab, workspace};

const PAGE: &str = "docs/tutorial.md";
/// Before what a block prints, with its number.
const MARK: &str = "==== block ";

/// Installs the program and carries out the page in an empty folder outside of the repository.
pub fn check() -> anyhow::Result<Outcome> {
    let page = std::fs::read_to_string(workspace::root().join(PAGE))?;
    let blocks = blocks(&page)?;
    let folder = Folder::new()?;
    let installed = folder.0.join("installed");
    flaglab::install(&installed)?;
    let [home, work] = ["home", "work"].map(|name| folder.0.join(name));
    std::fs::create_dir_all(&home)?;
    std::fs::create_dir_all(&work)?;
    let path = std::env::join_paths([installed.join("bin"), "/usr/bin".into(), "/bin".into()])?;
    let output = Command::new("sh")
        .args(["-euc", &script(&blocks)])
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .current_dir(work)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("sh")?;
    let printed = String::from_utf8(output.stdout).context("what the page prints is no text")?;
    print!("{printed}");
    ensure!(output.status.success(), "the page's commands: {}", output.status);
    compare(&blocks, &printed)?;
    Ok(Outcome::Passed)
}

/// A new folder, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("flaglab-tutorial-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the reader does, and what is to come of it.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    Run { line: usize, text: String, expected: Option<Expected> },
    Save { path: String, text: String },
}

/// What a block prints.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    text: String,
    /// Whether numbers with a decimal point count.
    is_exact: bool,
}

fn blocks(page: &str) -> anyhow::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let line = at + 1;
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let text = body.join("\n");
        match language {
            "sh" => blocks.push(Block::Run { line, text, expected: None }),
            "toml" => {
                let name = body.first().and_then(|first| first.strip_prefix("# "));
                let path = name.with_context(|| format!("line {line}: a file without its name"))?.to_owned();
                blocks.push(Block::Save { path, text });
            }
            "text" | "text numbers" => match blocks.last_mut() {
                Some(Block::Run { expected: expected @ None, .. }) => {
                    *expected = Some(Expected { text, is_exact: language == "text" });
                }
                _ => bail!("line {line}: no command printed this"),
            },
            // For eyes only.
            "console" => {}
            other => {
                bail!("line {line}: a block in `{other}`, expected sh, toml, text, text numbers or console")
            }
        }
    }
    ensure!(blocks.len() > 1, "{PAGE} has lost its blocks");
    Ok(blocks)
}

/// One script, so that folders and variables go on from block to block.
fn script(blocks: &[Block]) -> String {
    let mut script = String::new();
    for (i, block) in blocks.iter().enumerate() {
        script += &match block {
            Block::Run { text, .. } => format!("echo '{MARK}{i}'\n{text}\n"),
            Block::Save { path, text } => format!("cat > '{path}' <<'END OF FILE'\n{text}\nEND OF FILE\n"),
        };
    }
    script
}

/// Every block's output beside what the page says of it.
fn compare(blocks: &[Block], printed: &str) -> anyhow::Result<()> {
    for (i, block) in blocks.iter().enumerate() {
        let Block::Run { line, expected: Some(expected), .. } = block else { continue };
        let (_, after) = printed
            .split_once(&format!("{MARK}{i}\n"))
            .with_context(|| format!("line {line}: the block was not reached"))?;
        let found = after.split(MARK).next().unwrap_or_default();
        if let Err(first) = agrees(expected, found) {
            bail!("{PAGE}, block at line {line}: {first}; it printed\n{found}");
        }
    }
    Ok(())
}

/// Whether the lines are those expected, else the first that is missing.
fn agrees(expected: &Expected, found: &str) -> Result<(), String> {
    let plain = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        if expected.is_exact { words.join(" ") } else { without_numbers(&words.join(" ")) }
    };
    let mut found = found.lines().map(plain).filter(|line| !line.is_empty()).peekable();
    let mut wanted = expected.text.lines().map(plain).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = wanted.next() {
        if line == "..." {
            let next = wanted.peek();
            while found.peek().is_some_and(|found| Some(found) != next) {
                found.next();
            }
            continue;
        }
        match found.next() {
            Some(found) if found == line => {}
            Some(found) => return Err(format!("expected `{line}`, found `{found}`")),
            None => return Err(format!("expected `{line}`, found nothing")),
        }
    }
    found.next().map_or(Ok(()), |more| Err(format!("expected nothing more, found `{more}`")))
}

/// `#` for every number with a decimal point, its sign included.
fn without_numbers(line: &str) -> String {
    let is_sign = |c: char| "+-−".contains(c);
    let mut text = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let unsigned = rest.trim_start_matches(is_sign);
        let number: String = unsigned.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let is_decimal = number.contains('.') && number.starts_with(|c: char| c.is_ascii_digit());
        let begins = !text.ends_with(|c: char| c.is_ascii_alphanumeric());
        if is_decimal && begins {
            text.push('#');
            rest = &unsigned[number.len()..];
        } else if number.is_empty() || !begins {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let whole = rest.len() - unsigned.len() + number.len();
            text.push_str(&rest[..whole]);
            rest = &rest[whole..];
        }
    }
    text
}
