//! Data sets that others have published, each pinned to a revision of its repository and to its bytes.

mod fetch;

pub use fetch::PublishedError;

/// A data set in a repository on GitHub, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Name, which is also that of its folder.
    pub name: &'static str,
    /// `OWNER/NAME` of the repository.
    pub repository: &'static str,
    /// Commit of the repository.
    pub revision: &'static str,
    /// Terms of use.
    pub licence: &'static str,
    /// Name of the file among [`Self::files`] that holds the licence's text, which stays beside the data.
    pub notice: &'static str,
    /// Its files, the notice first.
    pub files: &'static [PublishedFile],
}

/// A file of a data set. It is read as a whole: some megabytes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFile {
    /// Path in the repository.
    pub path: &'static str,
    /// sha256 of the content, in hex.
    pub sha256: &'static str,
    /// Bytes.
    pub size: u64,
}

/// All data sets that can be fetched.
const DATASETS: [Published; 1] = [Published {
    name: "investor-bench",
    repository: "felis33/INVESTOR-BENCH",
    revision: "3509aeca668824cf2970e3950781d4d09f6c2adb",
    licence: "MIT",
    notice: "LICENSE",
    files: &[
        file("LICENSE", 1_092, "6dc54f189d8ef19c4a74a7a489ed2de098a70e0764c0e105f60edd699ed10183"),
        file("data/btc.json", 1_293_770, "938962b2a1ed76387c82d260d51c9afff3de303284e923cd79695629775c7e38"),
        file("data/eth.json", 285_014, "373b5013f79ec4a2b3d44ec30b03dd16256c6354fe3f072fda4ae729245c45d6"),
        file("data/hon.json", 417_194, "ff90bea4e8ff35cb2752e24ad74d321eb94f06e72953acaaa48e02595e12850b"),
        file("data/jnj.json", 823_894, "ba557598af05ed9947a710cb328462e279d59be19b18907339805d503c45ca8c"),
        file("data/msft.json", 3_276_783, "f3af207052f2580ce5d03079a1ba17c4314a715ad55b365dc45e954dd15c5509"),
        file("data/uvv.json", 604_569, "2a09c02d67d7c69150f130306a1b924656a32ba85959a70017933a75472505d4"),
    ],
}];

const fn file(path: &'static str, size: u64, sha256: &'static str) -> PublishedFile {
    PublishedFile { path, sha256, size }
}

/// All data sets that can be fetched.
pub fn datasets() -> &'static [Published] {
    &DATASETS
}

/// The data set of that name.
pub fn dataset(name: &str) -> Option<&'static Published> {
    DATASETS.iter().find(|set| set.name == name)
}

impl Published {
    /// Where a reader finds the repository.
    pub fn source(&self) -> String {
        format!("https://github.com/{}", self.repository)
    }

    /// Where the files are looked for, each at its path: the mirror `from`, else the pinned revision, else what the
    /// repository's default branch has today. Whichever it is, the bytes are those of the sha256.
    fn places(&self, from: Option<&str>) -> Vec<String> {
        match from {
            Some(from) => vec![from.trim_end_matches('/').to_owned()],
            None => [self.revision, "HEAD"]
                .map(|at| format!("https://raw.githubusercontent.com/{}/{at}", self.repository))
                .into(),
        }
    }
}

impl PublishedFile {
    /// Name in the data set's folder: the last part of its path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::is_commit;

    #[test]
    fn the_catalogue_is_sound() {
        for set in datasets() {
            assert_eq!(dataset(set.name), Some(set), "names differ");
            assert!(is_commit(set.revision), "{}", set.name);
            assert_eq!(set.files[0].name(), set.notice, "the notice arrives before the data");
            let names: BTreeSet<&str> = set.files.iter().map(PublishedFile::name).collect();
            assert_eq!(names.len(), set.files.len(), "{}: two files of a name", set.name);
            for file in set.files {
                let is_hex = |b| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                assert!(file.sha256.len() == 64 && file.sha256.bytes().all(is_hex), "{}", file.path);
                assert!(!file.name().is_empty() && file.size > 0, "{}", file.path);
            }
        }
        assert_eq!(dataset("nonsense"), None);
        let bench = dataset("investor-bench").unwrap();
        assert_eq!(
            format!("{}/{}", bench.places(None)[0], bench.files[5].path),
            "https://raw.githubusercontent.com/felis33/INVESTOR-BENCH/\
             3509aeca668824cf2970e3950781d4d09f6c2adb/data/msft.json"
        );
    }
}
