//! Carries out the runs of a prepared plan, each guarded: whatever one run does, the others go on.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;

use score::Scorecard;
use serde_json::{Map, Value};
use store::{
    CompletedInfo, Listing, ManifestStart, Metrics, Rescored, RunWriter, StoreError, StoredRun, SummaryRow,
    Warning,
};
use trading_env::{
    Action, AgentError, AgentKind, Arena, BackendKind, FreezeReceipt, Learner, Role, SplitName, Training,
};

use crate::prepare::{Cast, Skip};
use crate::provenance::Provenance;
use crate::rows::{Rows, Stop};
use crate::warnings::Watch;
use crate::{Evaluation, Event, Plan, PlannedArm, PlannedRun, Progress, Ready, evaluate, panics, turnover};
use plugin::Kind;

/// How to execute.
pub struct ExecuteOptions<'a> {
    /// Runs at the same time.
    pub jobs: NonZeroUsize,
    /// Counters, and the way to stop.
    pub progress: &'a Progress,
    /// Hears what happens, from any worker.
    pub on_event: &'a (dyn Fn(Event<'_>) + Sync),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// With scores.
    Completed,
    /// With a reason.
    Failed(String),
    /// Not run: the machine lacks something.
    Skipped(String),
    /// Stopped; the next execution takes it up.
    Interrupted,
    /// Not ours: somebody else works on it or has finished it meanwhile.
    Elsewhere,
}

/// What an execution came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Runs of the execution with their ends, in plan order.
    pub ends: Vec<(PlannedRun, RunEnd)>,
}

/// Why a run has no scores.
enum Failure {
    Failed { reason: String, step: Option<u64> },
    Interrupted,
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Interrupted => Failure::Interrupted,
            AgentError::Diverged { update, .. } => {
                Failure::Failed { reason: error.to_string(), step: Some(u64::from(update)) }
            }
            AgentError::Receipt { .. } | AgentError::Other(_) => {
                Failure::Failed { reason: error.to_string(), step: None }
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Failed { reason: Stop::Store(error).to_string(), step: None }
    }
}

impl<'a> Ready<'a> {
    /// Number of runs to do.
    pub fn len(&self) -> usize {
        self.selected.len()
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.selected.is_empty()
    }

    /// Does the runs and writes `summary.parquet`. The plan comes back with the states of now.
    ///
    /// # Errors
    /// When the summary cannot be written; a run that cannot be written is a failed run.
    pub fn execute(self, options: &ExecuteOptions<'_>) -> Result<(Plan<'a>, Outcome), StoreError> {
        let provenance = Provenance::collect(&self.plan.files.root, self.plan.registry.burn);
        let expected: u64 = self.selected.iter().map(|(run, _)| self.expected_steps(*run)).sum();
        options.progress.begin(self.selected.len(), expected);
        let ends: Vec<Mutex<RunEnd>> =
            self.selected.iter().map(|_| Mutex::new(RunEnd::Interrupted)).collect();
        let listing = self.plan.store.list()?;
        let one = |i: usize| {
            let (index, fresh) = self.selected[i];
            let end = self.one(index, fresh, &listing, &provenance, options);
            *ends[i].lock().unwrap_or_else(|e| e.into_inner()) = end;
        };
        let groups = self.groups();
        self.launcher.launch(groups.len(), options.jobs, &|group| groups[group].execute(&one));
        let mut plan = self.plan;
        plan.write_summary()?;
        let listing = plan.store.list()?;
        for run in &mut plan.runs {
            run.state = listing.state(&run.id)?;
        }
        let runs = self.selected.iter().map(|(run, _)| plan.runs[*run].clone());
        let ends = ends.into_iter().map(|end| end.into_inner().unwrap_or_else(|e| e.into_inner()));
        let outcome = Outcome { ends: runs.zip(ends).collect() };
        Ok((plan, outcome))
    }

    /// Neighbours among the selected runs that take one job's place: runs of an arm whose agent wants company.
    fn groups(&self) -> Vec<Group> {
        let most = |arm: usize| {
            let cast = self.arms[arm].lock().unwrap_or_else(|e| e.into_inner());
            match cast.as_ref().map(|cast| &cast.agent) {
                Some(Ok(agent)) => agent.side_by_side(),
                _ => 1,
            }
        };
        let mut groups: Vec<Group> = Vec::new();
        for (i, (run, _)) in self.selected.iter().enumerate() {
            let arm = self.plan.runs[*run].arm;
            match groups.last_mut() {
                Some(Group { runs, most })
                    if self.plan.runs[self.selected[runs.start].0].arm == arm && runs.len() < *most =>
                {
                    runs.end += 1;
                }
                _ => groups.push(Group { runs: i..i + 1, most: most(arm) }),
            }
        }
        groups
    }

    /// One run from claim to end.
    fn one(
        &self,
        index: usize,
        fresh: bool,
        listing: &Listing,
        provenance: &Provenance,
        options: &ExecuteOptions<'_>,
    ) -> RunEnd {
        let run = &self.plan.runs[index];
        let arm = &self.plan.arms[run.arm].name;
        let progress = options.progress;
        let before_end = |end: RunEnd, taken: u64| {
            progress.end(taken, self.expected_steps(index), matches!(end, RunEnd::Failed(_)));
            (options.on_event)(Event::Ended { run, arm, end: &end });
            end
        };
        if progress.stopped() {
            return RunEnd::Interrupted;
        }
        let cast = self.arms[run.arm].lock().unwrap_or_else(|e| e.into_inner()).clone();
        let cast = cast.expect("invariant: a selected run's arm is cast until its last run ends");
        let start = self.plan.manifest(run, &cast, provenance);
        let spec = self.plan.resolved(run.arm).run(run.seed).to_toml();
        let agent = match &cast.agent {
            Ok(agent) => agent,
            Err(Skip(reason)) => {
                let skipped = listing.skip(&run.id, fresh, &start, &spec, reason);
                self.release(run.arm);
                return before_end(
                    match skipped {
                        Ok(true) => RunEnd::Skipped(reason.clone()),
                        Ok(false) => RunEnd::Elsewhere,
                        Err(error) => RunEnd::Failed(Stop::Store(error).to_string()),
                    },
                    0,
                );
            }
        };
        let mut writer = match listing.claim(&run.id, fresh, &start, &spec) {
            Ok(Some(writer)) => writer,
            Ok(None) => {
                self.release(run.arm);
                return before_end(RunEnd::Elsewhere, 0);
            }
            Err(error) => {
                self.release(run.arm);
                return before_end(RunEnd::Failed(Stop::Store(error).to_string()), 0);
            }
        };
        (options.on_event)(Event::Started { run, arm });
        let mut taken = 0;
        let result = panics::catch(|| {
            let periods_per_year = self.plan.arms[run.arm].periods_per_year;
            let cast = cast.shuffled(&self.plan.arms[run.arm], run.seed)?;
            let subject = self.plan.arms[run.arm].role != Role::Baseline;
            let checkpoint_every = self.plan.experiment.run.checkpoint_every;
            let work = Work { cast: &cast, periods_per_year, subject, progress, checkpoint_every };
            let mut learner = agent.learner(run.seed)?;
            work.run(&mut *learner, &mut writer, &mut taken)
        });
        let result = result.unwrap_or_else(|reason| Err(Failure::Failed { reason, step: None }));
        drop(cast);
        self.release(run.arm);
        let stored = match &result {
            Ok(done) => writer.complete(done.clone()),
            Err(Failure::Failed { reason, step }) => writer.fail(reason, *step),
            // Dropping the writer frees the run; its state then reads interrupted.
            Err(Failure::Interrupted) => writer.note("interrupted"),
        };
        let end = match (result, stored) {
            (_, Err(error)) => RunEnd::Failed(Stop::Store(error).to_string()),
            (Ok(_), Ok(())) => RunEnd::Completed,
            (Err(Failure::Failed { reason, .. }), Ok(())) => RunEnd::Failed(reason),
            (Err(Failure::Interrupted), Ok(())) => RunEnd::Interrupted,
        };
        before_end(end, taken)
    }

    /// One run of the arm has ended; after the last one its agent is dropped.
    fn release(&self, arm: usize) {
        let mut slot = self.arms[arm].lock().unwrap_or_else(|e| e.into_inner());
        if let Some(cast) = slot.as_mut() {
            cast.left -= 1;
            if cast.left == 0 {
                *slot = None;
            }
        }
    }

    /// Steps that a run is going to take, for the time left only: what the agent's settings say of training, and an
    /// evaluation over each part.
    fn expected_steps(&self, run: usize) -> u64 {
        let arm = self.plan.runs[run].arm;
        let spec = self.plan.resolved(arm);
        let agent = spec.spec.get(AgentKind::SECTION);
        let training = agent.and_then(|a| a.get("total_timesteps")).and_then(Value::as_u64).unwrap_or(0);
        let arm = &self.plan.arms[arm];
        let parts = [Some(arm.in_sample()), arm.splits.valid.clone(), Some(arm.splits.test.clone())];
        training + parts.into_iter().flatten().map(|s| s.n_bars() as u64 - 1).sum::<u64>()
    }
}

impl Plan<'_> {
    /// Replaces `summary.parquet`: a row per stored run.
    pub fn write_summary(&self) -> Result<(), StoreError> {
        let row = |run: StoredRun| SummaryRow::new(&run.manifest, &run.state);
        self.store.write_summary(self.store.each_run()?.map(|run| run.map(row))).map(|_| ())
    }

    fn manifest(&self, run: &PlannedRun, cast: &Cast, provenance: &Provenance) -> ManifestStart {
        let arm = self.arm_of(run);
        let resolved = self.resolved(run.arm);
        let mut axes = Map::new();
        for (key, value) in &resolved.axes {
            axes.insert(key.clone(), value.clone());
        }
        ManifestStart {
            run_id: run.id.clone(),
            experiment: self.experiment.name.clone(),
            arm: arm.name.clone(),
            arm_key: arm.key.clone(),
            role: arm.role,
            axes,
            seed: run.seed,
            versions: provenance.versions.clone(),
            git_commit: provenance.git_commit.clone(),
            backend: self.spec(run.arm).kind(BackendKind::SECTION).to_owned(),
            adapter: cast.adapter.clone(),
            device: cast.device.clone(),
            machine: provenance.machine.clone(),
            data: arm.data.clone(),
            content: arm.content.iter().cloned().collect(),
            models: arm.pins.clone(),
            command: provenance.command.clone(),
        }
    }
}

impl Cast {
    /// The same on the data in the order that the arm's control draws for a seed.
    fn shuffled(&self, arm: &PlannedArm, seed: u64) -> Result<Self, AgentError> {
        let Some(shuffle) = arm.shuffle else { return Ok(self.clone()) };
        let of = |arena: &Arena| {
            let mut rng = trading_env::rng(seed, &format!("shuffle-{}", arena.split().word()));
            arena.segment().shuffled(shuffle, &mut rng).map_err(|e| AgentError::Other(e.to_string()))
        };
        let on = |arena: &Arena, segment| arena.on(segment).map_err(AgentError::Other);
        let train = of(&self.train)?;
        let valid = self.valid.as_ref().map(|valid| on(valid, of(valid)?)).transpose()?;
        Ok(Self {
            in_sample: on(&self.in_sample, arm.in_sample_of(&train))?,
            train: on(&self.train, train)?,
            valid,
            test: on(&self.test, of(&self.test)?)?,
            ..self.clone()
        })
    }
}

/// Runs that take one job's place.
struct Group {
    /// Indices into the selected runs.
    runs: Range<usize>,
    /// As many as their agent wants together.
    most: usize,
}

impl Group {
    /// Calls `one` for each run. One that wants no company takes the job's thread with its share of the cores; others
    /// have a thread each, and all cores together.
    fn execute(&self, one: &(dyn Fn(usize) + Sync)) {
        if self.most == 1 {
            return one(self.runs.start);
        }
        std::thread::scope(|scope| {
            for i in self.runs.clone() {
                if !crate::launcher::run_thread(scope, move || one(i)) {
                    one(i);
                }
            }
        });
    }
}

/// Everything between claim and end of one run.
struct Work<'a> {
    cast: &'a Cast,
    periods_per_year: f64,
    /// Whether it is no baseline.
    subject: bool,
    progress: &'a Progress,
    checkpoint_every: u32,
}

impl Work<'_> {
    fn run(
        &self,
        learner: &mut dyn Learner,
        writer: &mut RunWriter,
        taken: &mut u64,
    ) -> Result<CompletedInfo, Failure> {
        let watch = self.train(learner, writer, taken)?;
        let mut warnings: Vec<Warning> = watch.explosion().into_iter().collect();
        let receipt = learner.receipt();
        if let Some(moved) = receipt.as_ref().and_then(moved_though_frozen) {
            let problem = "moved although frozen".to_owned();
            return Err(AgentError::Receipt { tensor: moved.to_owned(), problem }.into());
        }
        let Cast { in_sample, valid, test, .. } = self.cast;
        let arenas: Vec<&Arena> =
            [Some(in_sample), valid.as_ref(), Some(test)].into_iter().flatten().collect();
        let mut evaluations = self.evaluate(learner, &arenas, taken)?.into_iter();
        let mut next = || evaluations.next().expect("invariant: one evaluation per arena");
        // The training split's rows are the steps of training; the trained policy's way through it is scored only.
        let train = self.score(&next())?;
        let mut equal_turnover = None;
        let mut rescored = Vec::new();
        let mut unseen = |arena: &Arena| -> Result<Value, Failure> {
            let evaluation = next();
            let actions: Vec<_> = evaluation.rows.iter().map(|row| row.action).collect();
            warnings.extend(watch.constant(arena.split(), &actions));
            if self.subject && arena.split() == SplitName::Test {
                let log_return = evaluation.steps.iter().map(|step| step.log_return).sum();
                equal_turnover = turnover::equal_turnover(arena, &actions, log_return);
            }
            if arena.split() == SplitName::Test {
                rescored = self.rescore(arena, &actions)?;
            }
            self.score_and_write(evaluation, writer)
        };
        let valid = valid.as_ref().map(&mut unseen).transpose()?;
        let test = unseen(test)?;
        let metrics = Metrics { train: Some(train), valid, test: Some(test) };
        let folder = writer.checkpoint_dir()?;
        learner.save(&folder)?;
        Ok(CompletedInfo { metrics, receipt, prompts: learner.prompts(), warnings, equal_turnover, rescored })
    }

    fn train(
        &self,
        learner: &mut dyn Learner,
        writer: &mut RunWriter,
        taken: &mut u64,
    ) -> Result<Watch, Failure> {
        let mut log = Rows::new(writer, self.progress, self.checkpoint_every)?;
        let training =
            Training { arena: &self.cast.train, validation: self.cast.valid.as_ref(), log: &mut log };
        let trained = learner.train(training);
        *taken += log.steps();
        let (stop, watch) = log.end();
        match stop {
            Some(Stop::Interrupted) => Err(Failure::Interrupted),
            Some(stop @ Stop::NotFinite { step, .. }) => {
                Err(Failure::Failed { reason: stop.to_string(), step: Some(step) })
            }
            Some(stop @ Stop::Store(_)) => Err(Failure::Failed { reason: stop.to_string(), step: None }),
            None => trained.map(|()| watch).map_err(Failure::from),
        }
    }

    fn evaluate(
        &self,
        learner: &mut dyn Learner,
        arenas: &[&Arena],
        taken: &mut u64,
    ) -> Result<Vec<Evaluation>, Failure> {
        let evaluations = evaluate(learner, arenas, || {
            self.progress.took(1);
            *taken += 1;
            !self.progress.stopped()
        });
        Ok(evaluations?)
    }

    fn score_and_write(&self, evaluation: Evaluation, writer: &mut RunWriter) -> Result<Value, Failure> {
        let scores = self.score(&evaluation)?;
        for row in evaluation.rows {
            writer.step(row)?;
        }
        Ok(scores)
    }

    fn score(&self, evaluation: &Evaluation) -> Result<Value, Failure> {
        json(&evaluation.score(self.periods_per_year).map_err(|e| failed(&e))?)
    }

    /// The decisions that a policy took in `arena`, under all rules that results are compared under.
    fn rescore(&self, arena: &Arena, actions: &[Action]) -> Result<Vec<Rescored>, Failure> {
        let cash = arena.config().initial_cash;
        let rescored =
            score::rescore(arena.segment(), actions, cash, self.periods_per_year).map_err(|e| failed(&e))?;
        let stored = |r: score::Rescored| {
            Ok(Rescored { rules: r.rules.to_owned(), cost_bps: r.cost_bps, scores: json(&r.scores)? })
        };
        rescored.into_iter().map(stored).collect()
    }
}

fn failed(error: &dyn ToString) -> Failure {
    Failure::Failed { reason: error.to_string(), step: None }
}

fn json(scores: &Scorecard) -> Result<Value, Failure> {
    serde_json::to_value(scores).map_err(|e| failed(&e))
}

/// The first tensor that the spec freezes and that training moved.
fn moved_though_frozen(receipt: &FreezeReceipt) -> Option<&str> {
    receipt.tensors.iter().find(|t| !t.trained && t.before != t.after).map(|t| t.name.as_str())
}

impl Outcome {
    /// Runs that ended in a way.
    pub fn count(&self, ended: impl Fn(&RunEnd) -> bool) -> usize {
        self.ends.iter().filter(|(_, end)| ended(end)).count()
    }
}
