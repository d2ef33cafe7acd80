//! The folder of an export, which knows the files that exports have put there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{ExportError, Format};

/// Lists what exports have written: only that may be replaced or removed.
const LIST: &str = "export.json";
/// Ending of temporary names, which a crash may leave.
const TEMPORARY: &str = ".tmp";

/// A folder that is empty, not there yet, or holds nothing but exports of one experiment.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    list: List,
}

/// Files below the folder, `/` between their parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    experiment: String,
    #[serde(default)]
    csv: BTreeSet<String>,
    #[serde(default)]
    tensorboard: BTreeSet<String>,
}

impl List {
    fn of(&mut self, format: Format) -> &mut BTreeSet<String> {
        match format {
            Format::Csv => &mut self.csv,
            Format::TensorBoard => &mut self.tensorboard,
        }
    }
}

impl Folder {
    /// The folder for an experiment's exports. Writes nothing.
    ///
    /// # Errors
    /// [`ExportError::Folder`] where it holds anything else.
    pub fn open(path: &Path, experiment: &str) -> Result<Self, ExportError> {
        let folder = Self {
            path: path.to_owned(),
            list: List { experiment: experiment.to_owned(), ..List::default() },
        };
        match fs::metadata(path) {
            // A link that leads nowhere is in the way too.
            Err(e) if e.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(folder);
            }
            Err(e) => return Err(ExportError::Io { path: path.to_owned(), source: e }),
            Ok(meta) if !meta.is_dir() => return Err(wrong(path, "expected a folder, found a file".into())),
            Ok(_) => {}
        }
        let list = match fs::read(path.join(LIST)) {
            Err(e) if e.kind() == ErrorKind::NotFound => folder.list.clone(),
            text => {
                let text = text.map_err(ExportError::io(&path.join(LIST)))?;
                serde_json::from_slice::<List>(&text)
                    .map_err(|e| wrong(&path.join(LIST), format!("is not the list of an export: {e}")))?
            }
        };
        if list.experiment != experiment {
            let problem = format!(
                "holds the export of \"{}\", expected an empty folder or an export of \"{experiment}\"",
                list.experiment
            );
            return Err(wrong(path, problem));
        }
        if let Some(foreign) = foreign(path, "", &list)? {
            let problem = format!(
                "holds {foreign}, which no export has written; expected an empty folder, or one with an export of \
                 \"{experiment}\" alone"
            );
            return Err(wrong(path, problem));
        }
        Ok(Self { list, ..folder })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder the place of these files: each that is going to be written is on the list before it is there, so
    /// that what a crash leaves still counts as an export's.
    pub(crate) fn expect(&mut self, format: Format, files: &BTreeSet<String>) -> Result<(), ExportError> {
        self.list.of(format).extend(files.iter().cloned());
        fs::create_dir_all(&self.path).map_err(ExportError::io(&self.path))?;
        self.write_list()
    }

    /// Removes what earlier exports of the format have left besides these files.
    pub(crate) fn settle(mut self, format: Format, files: BTreeSet<String>) -> Result<(), ExportError> {
        let gone: Vec<String> = self.list.of(format).difference(&files).cloned().collect();
        for name in &gone {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(ExportError::io(&path)(e)),
                _ => {}
            }
            // Folders that are empty now; the first that is not ends it.
            let above = path.ancestors().skip(1).take_while(|dir| *dir != self.path);
            above.map(fs::remove_dir).take_while(Result::is_ok).for_each(drop);
        }
        *self.list.of(format) = files;
        self.write_list()
    }

    fn write_list(&self) -> Result<(), ExportError> {
        let mut file = self.begin(LIST)?;
        let mut list = serde_json::to_vec_pretty(&self.list).expect("invariant: keys are strings");
        list.push(b'\n');
        file.write_all(&list).map_err(ExportError::io(&self.path))?;
        file.finish()
    }

    /// Begins a file, with the folders above it.
    pub(crate) fn begin(&self, name: &str) -> Result<NewFile, ExportError> {
        let path = self.path.join(name);
        let dir = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(dir).map_err(ExportError::io(dir))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("export.").suffix(TEMPORARY);
        // The umask decides who may read it, not the temporary file's default of 0600.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(dir).map_err(ExportError::io(&path))?;
        Ok(NewFile { path, to: BufWriter::new(file) })
    }
}

/// A file that has its name, and replaces an older one, once it is complete.
pub(crate) struct NewFile {
    path: PathBuf,
    to: BufWriter<NamedTempFile>,
}

impl NewFile {
    /// Gives it its name.
    pub(crate) fn finish(self) -> Result<(), ExportError> {
        let file = self.to.into_inner().map_err(|e| ExportError::io(&self.path)(e.into_error()))?;
        file.persist(&self.path).map_err(|e| ExportError::io(&self.path)(e.error))?;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

fn wrong(path: &Path, problem: String) -> ExportError {
    ExportError::Folder { path: path.to_owned(), problem }
}

/// The first file below the folder that is not on the list.
fn foreign(dir: &Path, prefix: &str, list: &List) -> Result<Option<String>, ExportError> {
    let entries = fs::read_dir(dir).map_err(ExportError::io(dir))?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(ExportError::io(dir))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(ExportError::io(&entry.path()))?;
        if kind.is_dir() {
            if let Some(found) = foreign(&entry.path(), &format!("{name}/"), list)? {
                return Ok(Some(found));
            }
            continue;
        }
        let is_left = name.ends_with(TEMPORARY) && kind.is_file();
        if !(is_left || name == LIST || list.csv.contains(&name) || list.tensorboard.contains(&name)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &mut Folder, format: Format, names: &[&str]) {
        let names: BTreeSet<String> = names.iter().map(|n| (*n).to_owned()).collect();
        folder.expect(format, &names).unwrap();
        for name in &names {
            let mut file = folder.begin(name).unwrap();
            file.write_all(name.as_bytes()).unwrap();
            file.finish().unwrap();
        }
        Folder { path: folder.path.clone(), list: folder.list.clone() }.settle(format, names).unwrap();
    }

    fn problem(path: &Path, experiment: &str) -> String {
        match Folder::open(path, experiment) {
            Err(error @ ExportError::Folder { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exports_of_an_experiment_share_a_folder_and_replace_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/b");
        put(&mut Folder::open(&out, "one").unwrap(), Format::Csv, &["runs.csv"]);
        put(
            &mut Folder::open(&out, "one").unwrap(),
            Format::TensorBoard,
            &["arm/seed-0/events", "x/seed-1/e"],
        );
        fs::write(out.join("arm/left.tmp"), "by a crash").unwrap();
        put(&mut Folder::open(&out, "one").unwrap(), Format::TensorBoard, &["arm/seed-0/events"]);
        assert!(out.join("runs.csv").is_file() && out.join("arm/seed-0/events").is_file());
        assert!(!out.join("x").exists(), "what is gone takes its empty folders with it");
        assert!(problem(&out, "two").contains("holds the export of \"one\""));
    }

    #[test]
    fn what_no_export_has_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        assert!(Folder::open(dir.path(), "one").is_ok(), "no file is there");
        fs::write(dir.path().join("deep/notes.txt"), "mine").unwrap();
        assert!(problem(dir.path(), "one").contains("holds deep/notes.txt, which no export has written"));
        let file = dir.path().join("deep/notes.txt");
        assert!(problem(&file, "one").contains("expected a folder, found a file"));
        fs::write(dir.path().join(LIST), "{\"experiment\": 1}").unwrap();
        assert!(problem(dir.path(), "one").contains("is not the list of an export"));
    }
}
