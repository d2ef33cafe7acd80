//! The attempts of an experiment's folder at one moment, and claims that start from them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use crate::experiment_store::{check_run_id, glance, read_manifest};
use crate::lease::{self, Lease};
use crate::resume::ResumeFolder;
use crate::run::RunWriter;
use crate::{Attempt, ExperimentStore, ManifestStart, RunState, StateWord, StoreError, ledger, publication};

/// What [`ExperimentStore::list`] found: one reading of the folder serves any number of runs, which would otherwise
/// take time that grows with the square of their number.
///
/// States are looked up when they are asked for; only which attempts there are is of the listing's moment.
#[derive(Debug, Clone)]
pub struct Listing {
    store: ExperimentStore,
    /// Attempts by run id, ascending.
    numbers: BTreeMap<String, Vec<u32>>,
}

impl Listing {
    pub(crate) fn new(store: ExperimentStore) -> Result<Self, StoreError> {
        let numbers = store.numbers()?;
        Ok(Self { store, numbers })
    }

    /// Ids of the runs that have an attempt.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// State of a run's latest attempt.
    pub fn state(&self, run_id: &str) -> Result<RunState, StoreError> {
        Ok(self.latest(run_id)?.map_or(RunState::Planned, |attempt| attempt.state))
    }

    /// All attempts of a run, oldest first.
    pub fn attempts(&self, run_id: &str) -> Result<Vec<Attempt>, StoreError> {
        self.numbers(run_id).iter().map(|number| self.attempt(run_id, *number)).collect()
    }

    /// The attempt of a run that counts: the latest that completed, else the latest.
    pub fn counted(&self, run_id: &str) -> Result<Option<Attempt>, StoreError> {
        let mut attempts = self.attempts(run_id)?;
        let completed = attempts.iter().rposition(|attempt| attempt.state == RunState::Completed);
        let counted = completed.or(attempts.len().checked_sub(1));
        Ok(counted.map(|at| attempts.swap_remove(at)))
    }

    /// Takes up an attempt of a run, from 1: a planned one in a new folder, an interrupted or skipped one in its own.
    /// What others have done since the listing counts.
    ///
    /// `None`: there is nothing to take, because somebody else works on the run, or the attempt has its end, or a later one
    /// has been begun. Machines that share the folder may take the run over when this process has given no sign
    /// of life for as long as [`ExperimentStore::with_lease`] says.
    ///
    /// From here on the run counts as started, whatever becomes of it, see [`ExperimentStore::trials`].
    pub fn claim(
        &self,
        run_id: &str,
        attempt: u32,
        start: &ManifestStart,
        spec_toml: &str,
    ) -> Result<Option<RunWriter>, StoreError> {
        let Some(lease) = self.take(run_id, attempt)? else { return Ok(None) };
        ledger::append(self.store.dir(), start, attempt)?;
        self.begin(run_id, attempt, lease, start, spec_toml)
    }

    /// Notes that a run cannot be started here, in the place where [`claim`](Self::claim) would start it. It is no trial.
    ///
    /// `false`: there is nothing to take.
    pub fn skip(
        &self,
        run_id: &str,
        attempt: u32,
        start: &ManifestStart,
        spec_toml: &str,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let Some(lease) = self.take(run_id, attempt)? else { return Ok(false) };
        let Some(run) = self.begin(run_id, attempt, lease, start, spec_toml)? else { return Ok(false) };
        run.skip(reason)?;
        Ok(true)
    }

    fn begin(
        &self,
        run_id: &str,
        number: u32,
        lease: Lease,
        start: &ManifestStart,
        spec_toml: &str,
    ) -> Result<Option<RunWriter>, StoreError> {
        RunWriter::begin(self.store.attempt_dir(run_id, number), number, start.clone(), spec_toml, lease)
    }

    /// The latest attempt of a run, or the one after it.
    pub(crate) fn attempt_for(&self, run_id: &str, fresh: bool) -> Result<u32, StoreError> {
        let latest = self.latest(run_id)?.map_or(0, |attempt| attempt.number);
        Ok(if fresh { latest + 1 } else { latest.max(1) })
    }

    /// A lease on the attempt, whose folder is there then.
    fn take(&self, run_id: &str, number: u32) -> Result<Option<Lease>, StoreError> {
        let folder = self.store.dir();
        check_run_id(folder, run_id)?;
        let latest = self.latest(run_id)?;
        match &latest {
            // One at a time, whichever attempt it is.
            Some(Attempt { state: RunState::Running { .. }, .. }) => return Ok(None),
            Some(latest) if latest.number > number => return Ok(None),
            Some(Attempt { number: same, state: RunState::Completed | RunState::Failed { .. }, .. })
                if *same == number =>
            {
                return Ok(None);
            }
            _ => {}
        }
        let begins = latest.as_ref().is_some_and(|latest| latest.number < number);
        let dir = self.store.attempt_dir(run_id, number);
        fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
        match fs::create_dir(&dir) {
            // Somebody else began this attempt since we looked: theirs is as fresh as ours would be.
            Err(e) if e.kind() == ErrorKind::AlreadyExists && begins => return Ok(None),
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::Io { path: dir, source: e });
            }
            _ => {}
        }
        let Some(lease) = Lease::take(&dir, self.store.lasts())? else { return Ok(None) };
        let publisher = lease::publisher(&dir)?;
        if let Some(publisher) = publisher {
            // Its holder died over the last step, or is at it.
            publication::carry_out(&dir, publisher)?;
        }
        // Under the lease: somebody else may have finished it between our look and our lease.
        match read_manifest(&dir)?.map(|m| m.state) {
            Some(state @ (StateWord::Completed | StateWord::Failed)) => {
                if state == StateWord::Completed {
                    ResumeFolder::open(&dir)?.0.remove()?;
                }
                lease.remove();
                return Ok(None);
            }
            _ if publisher.is_some() => lease::unpublish(&dir)?,
            _ => {}
        }
        Ok(Some(lease))
    }

    fn numbers(&self, run_id: &str) -> &[u32] {
        self.numbers.get(run_id).map_or(&[], Vec::as_slice)
    }

    /// A run's latest attempt, also when it was begun after the listing: whoever begins one takes the next number.
    pub fn latest(&self, run_id: &str) -> Result<Option<Attempt>, StoreError> {
        let listed = self.numbers(run_id).last().copied().unwrap_or(0);
        let newer = (listed + 1..).take_while(|n| self.store.attempt_dir(run_id, *n).is_dir()).last();
        let number = newer.unwrap_or(listed);
        (number > 0).then(|| self.attempt(run_id, number)).transpose()
    }

    fn attempt(&self, run_id: &str, number: u32) -> Result<Attempt, StoreError> {
        let dir = self.store.attempt_dir(run_id, number);
        let (manifest, state) = glance(&dir)?;
        let took = manifest.filter(|_| state == RunState::Completed).and_then(|m| m.took());
        Ok(Attempt { number, dir, state, took })
    }
}
