//! Carries out the runs of a prepared plan, each guarded: whatever one run does, the others go on.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use experiment::OnFailure;
use score::Scorecard;
use serde_json::{Map, Value};
use store::{
    CompletedInfo, Listing, Lost, ManifestStart, Metrics, Published, Rescored, RunState, RunWriter,
    StoreError, StoredRun, SummaryRow, Warning,
};
use trading_env::{
    Action, AgentError, AgentKind, Arena, BackendKind, FreezeReceipt, Learner, Role, SplitName, Training,
};

use crate::launcher::{Group, LaunchError, Place, Work, Worker};
use crate::prepare::{Cast, Selected, Skip};
use crate::provenance::Provenance;
use crate::rows::{Rows, Stop};
use crate::warnings::Watch;
use crate::{Evaluation, Event, Plan, PlannedArm, PlannedRun, Progress, Ready, evaluate, panics, turnover};
use plugin::Kind;

/// Time beyond a lease's end after which it is surely over.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// How to execute.
pub struct ExecuteOptions<'a> {
    /// Runs at the same time.
    pub jobs: NonZeroUsize,
    /// What carries out runs in a process of its own, for launchers that have them there.
    pub worker: &'a Worker,
    /// Counters, and the way to stop.
    pub progress: &'a Progress,
    /// Hears what happens, from any thread.
    pub on_event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Whether this is a process of another execution, which derives what is derived from all runs.
    pub is_worker: bool,
}

/// Why an execution came to no outcome.
#[derive(Debug)]
pub enum ExecuteError {
    /// What is derived from all runs cannot be written.
    Store(StoreError),
    /// The launcher could not hand over the runs.
    Launch(LaunchError),
}

impl From<StoreError> for ExecuteError {
    fn from(error: StoreError) -> Self {
        ExecuteError::Store(error)
    }
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
    pub ends: Vec<Ended>,
}

/// One run of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The run, with the state of now.
    pub run: PlannedRun,
    /// The attempt that was worked on.
    pub attempt: u32,
    /// How it ended.
    pub end: RunEnd,
}

impl RunEnd {
    /// The end of a run that another process had to carry out.
    fn of(state: RunState) -> Self {
        match state {
            RunState::Completed => RunEnd::Completed,
            RunState::Failed { reason, .. } => RunEnd::Failed(reason),
            RunState::Skipped { reason } => RunEnd::Skipped(reason),
            RunState::Running { .. } => RunEnd::Elsewhere,
            RunState::Planned | RunState::Interrupted => RunEnd::Interrupted,
        }
    }
}

/// Why a run has no scores.
enum Failure {
    Failed {
        reason: String,
        step: Option<u64>,
    },
    Interrupted,
    /// Its folder cannot be written: no fault of the run, which the same command takes up where it was.
    Unwritten(String),
    /// Somebody else has taken it over.
    Lost,
}

/// When a run fails for having taken too long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    begun: Instant,
    /// 0: none.
    pub seconds: u64,
}

impl TimeLimit {
    fn begin(seconds: u64) -> Self {
        Self { begun: Instant::now(), seconds }
    }

    pub fn is_over(self) -> bool {
        self.seconds > 0 && self.begun.elapsed().as_secs() >= self.seconds
    }
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
        Failure::Unwritten(Stop::Store(error).to_string())
    }
}

impl<'a> Ready<'a> {
    /// Number of runs to do.
    pub fn len(&self) -> usize {
        self.selected.len()
    }

    /// Whether other machines are going to carry out the runs.
    pub fn is_elsewhere(&self) -> bool {
        self.launcher.place() == Place::OtherMachines
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.selected.is_empty()
    }

    /// Does the runs and writes `summary.parquet`. The plan comes back with the states of now.
    ///
    /// # Errors
    /// When the summary cannot be written or the launcher cannot hand over the runs; a run that cannot be written is a
    /// failed run.
    pub fn execute(self, options: &ExecuteOptions<'_>) -> Result<(Plan<'a>, Outcome), ExecuteError> {
        let provenance = Provenance::collect(&self.plan.files.root, self.plan.registry);
        let expected: u64 = self.selected.iter().map(|s| self.expected_steps(s.run)).sum();
        options.progress.begin(self.selected.len(), expected);
        let ends: Vec<Mutex<Option<RunEnd>>> = self.selected.iter().map(|_| Mutex::new(None)).collect();
        let listing = self.plan.store.list()?;
        let failed = AtomicBool::new(false);
        let stops = self.plan.experiment.run.on_failure == OnFailure::Stop;
        let may_start = || !(options.progress.stopped() || stops && failed.load(Ordering::Relaxed));
        let has_failed = |selected: &Selected| {
            // One that has retries left has not failed yet.
            if selected.attempt > self.plan.experiment.run.max_retries {
                failed.store(true, Ordering::Relaxed);
            }
        };
        let one = |i: usize| {
            let end = match may_start() {
                true => self.one(self.selected[i], &listing, &provenance, options, &may_start),
                false => RunEnd::Interrupted,
            };
            if matches!(end, RunEnd::Failed(_)) {
                has_failed(&self.selected[i]);
            }
            *ends[i].lock().unwrap_or_else(|e| e.into_inner()) = Some(end);
        };
        let companies = self.companies();
        let groups = self.groups();
        let attempt = |name: &str| store::parse_attempt(name).unwrap_or((name.to_owned(), 1));
        let state = |name: &str| {
            let (id, number) = attempt(name);
            self.plan.store.attempt_state(&id, number)
        };
        let by_name: HashMap<String, &Selected> = self.selected.iter().map(|s| (self.name(s), s)).collect();
        let fail = |name: &str, reason: &str| {
            let Some(selected) = by_name.get(name) else { return Ok(()) };
            has_failed(selected);
            self.fail(selected, reason, &listing, &provenance)
        };
        let processes = Mutex::new(HashSet::new());
        let work = Work {
            groups: &groups,
            jobs: options.jobs,
            execute: &|company: usize| companies[company].execute(&one),
            worker: options.worker,
            folder: self.plan.store.dir(),
            memory_limit_mib: self.plan.experiment.run.memory_limit_mib,
            one_by_one: stops || self.plan.experiment.run.memory_limit_mib > 0,
            state: &|name| {
                let state = state(name)?;
                if let (RunState::Failed { .. }, Some(selected)) = (&state, by_name.get(name)) {
                    has_failed(selected);
                }
                Ok(state)
            },
            began: &|pid| {
                processes.lock().unwrap_or_else(|e| e.into_inner()).insert(pid);
            },
            process: &|name| {
                let (id, number) = attempt(name);
                self.plan.store.process(&id, number)
            },
            fail: &fail,
            stopped: &|| options.progress.stopped(),
            may_start: &may_start,
            say: &|line| (options.on_event)(Event::Said { line }),
        };
        let launched = self.launcher.launch(&work);
        if self.launcher.place() != Place::Here {
            for (selected, end) in self.selected.iter().zip(&ends) {
                let run = &self.plan.runs[selected.run];
                let state = self.plan.store.attempt_state(&run.id, selected.attempt)?;
                let process = self.plan.store.process(&run.id, selected.attempt)?;
                let processes = processes.lock().unwrap_or_else(|e| e.into_inner());
                let is_ours = process.is_none_or(|process| processes.contains(&process.pid));
                let end_of = match RunEnd::of(state) {
                    // What others have left can be taken up.
                    RunEnd::Interrupted if self.launcher.place() == Place::ThisMachine && !is_ours => {
                        RunEnd::Elsewhere
                    }
                    end => end,
                };
                *end.lock().unwrap_or_else(|e| e.into_inner()) = Some(end_of);
            }
        }
        let mut plan = self.plan;
        if !options.is_worker {
            plan.write_summary()?;
        }
        plan.refresh()?;
        launched.map_err(ExecuteError::Launch)?;
        let runs = self.selected.iter().map(|s| (plan.runs[s.run].clone(), s.attempt));
        let ends = ends.into_iter().map(|end| end.into_inner().unwrap_or_else(|e| e.into_inner()));
        let outcome = Outcome {
            ends: runs
                .zip(ends)
                .map(|((run, attempt), end)| Ended { run, attempt, end: end.unwrap_or(RunEnd::Interrupted) })
                .collect(),
        };
        Ok((plan, outcome))
    }

    /// What would be handed over to other machines, for a look at it.
    ///
    /// # Errors
    /// What the launcher says.
    pub fn handed_over(&self, jobs: NonZeroUsize, worker: &Worker) -> Result<Option<String>, LaunchError> {
        let groups = self.groups();
        let state = |name: &str| {
            let (id, number) = store::parse_attempt(name).unwrap_or((name.to_owned(), 1));
            self.plan.store.attempt_state(&id, number)
        };
        self.launcher.plan(&Work {
            groups: &groups,
            jobs,
            execute: &|_| (),
            worker,
            folder: self.plan.store.dir(),
            memory_limit_mib: self.plan.experiment.run.memory_limit_mib,
            one_by_one: false,
            state: &state,
            began: &|_| (),
            process: &|_| Ok(None),
            fail: &|_, _| Ok(()),
            stopped: &|| false,
            may_start: &|| false,
            say: &|_| (),
        })
    }

    /// What the launcher carries out together.
    fn groups(&self) -> Vec<Group> {
        let name = |s: &Selected| self.name(s);
        let arm = |s: &Selected| self.plan.runs[s.run].arm;
        let group = |selected: &[Selected]| Group {
            arm: self.plan.arms[arm(&selected[0])].name.clone(),
            runs: selected.iter().map(name).collect(),
        };
        match self.launcher.place() {
            Place::Here => self.companies().iter().map(|c| group(&self.selected[c.runs.clone()])).collect(),
            Place::ThisMachine | Place::OtherMachines => {
                self.selected.chunk_by(|a, b| arm(a) == arm(b)).map(group).collect()
            }
        }
    }

    /// Neighbours among the selected runs that take one job's place: runs of an arm whose agent wants company.
    fn companies(&self) -> Vec<Company> {
        let most = |arm: usize| {
            let cast = self.arms[arm].lock().unwrap_or_else(|e| e.into_inner());
            match cast.as_ref().map(|cast| &cast.agent) {
                Some(Ok(agent)) => agent.side_by_side(),
                _ => 1,
            }
        };
        let mut companies: Vec<Company> = Vec::new();
        for (i, selected) in self.selected.iter().enumerate() {
            let arm = self.plan.runs[selected.run].arm;
            match companies.last_mut() {
                Some(Company { runs, most })
                    if self.plan.runs[self.selected[runs.start].run].arm == arm && runs.len() < *most =>
                {
                    runs.end += 1;
                }
                _ => companies.push(Company { runs: i..i + 1, most: most(arm) }),
            }
        }
        companies
    }

    fn name(&self, selected: &Selected) -> String {
        store::attempt_name(&self.plan.runs[selected.run].id, selected.attempt)
    }

    /// Has a run whose process is dead end as failed.
    fn fail(
        &self,
        selected: &Selected,
        reason: &str,
        listing: &Listing,
        provenance: &Provenance,
    ) -> Result<(), StoreError> {
        let run = &self.plan.runs[selected.run];
        let start = self.plan.manifest(run, None, provenance);
        let spec = self.plan.resolved(run.arm).run(run.seed).to_toml();
        // Where the file system has no locks, a dead process' lease lives on for as long as it lasts.
        let deadline =
            Instant::now() + Duration::from_secs(u64::from(self.plan.experiment.run.lease_s)) + LEASE_MARGIN;
        loop {
            if let Some(writer) = listing.claim(&run.id, selected.attempt, &start, &spec)? {
                return writer.fail(reason, None).map(|_| ());
            }
            let state = self.plan.store.attempt_state(&run.id, selected.attempt)?;
            if !matches!(state, RunState::Running { .. }) || Instant::now() > deadline {
                // It has its end, or somebody else has taken it up.
                return Ok(());
            }
            std::thread::sleep(LEASE_MARGIN / 4);
        }
    }

    /// One run from claim to end.
    fn one(
        &self,
        Selected { run: index, attempt }: Selected,
        listing: &Listing,
        provenance: &Provenance,
        options: &ExecuteOptions<'_>,
        may_start: &dyn Fn() -> bool,
    ) -> RunEnd {
        let run = &self.plan.runs[index];
        let arm = &self.plan.arms[run.arm].name;
        let progress = options.progress;
        let before_end = |end: RunEnd, taken: u64| {
            progress.end(taken, self.expected_steps(index), matches!(end, RunEnd::Failed(_)));
            (options.on_event)(Event::Ended { run, arm, end: &end });
            end
        };
        let cast = self.arms[run.arm].lock().unwrap_or_else(|e| e.into_inner()).clone();
        let cast = cast.expect("invariant: a selected run's arm is cast until its last run ends");
        let start = self.plan.manifest(run, Some(&cast), provenance);
        let spec = self.plan.resolved(run.arm).run(run.seed).to_toml();
        let agent = match &cast.agent {
            Ok(agent) => agent,
            Err(Skip(reason)) => {
                let skipped = listing.skip(&run.id, attempt, &start, &spec, reason);
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
        // Before the claim: who waits holds nothing that another process could do.
        let slots = cast.slots.clone();
        let _slot = slots.as_ref().map(|slots| slots.take());
        if !may_start() {
            return RunEnd::Interrupted;
        }
        let mut writer = match listing.claim(&run.id, attempt, &start, &spec) {
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
            let periods_per_year = self.plan.arms[run.arm].periods.per_year;
            let cast = cast.shuffled(&self.plan.arms[run.arm], run.seed)?;
            let subject = self.plan.arms[run.arm].role != Role::Baseline;
            let checkpoint_every = self.plan.experiment.run.checkpoint_every;
            let limit = TimeLimit::begin(self.plan.experiment.run.time_limit_s);
            let task = Task { cast: &cast, periods_per_year, subject, progress, limit, checkpoint_every };
            let mut learner = agent.learner(run.seed)?;
            task.run(&mut *learner, &mut writer, &mut taken)
        });
        let result = result.unwrap_or_else(|reason| Err(Failure::Failed { reason, step: None }));
        drop(cast);
        self.release(run.arm);
        let stored = match &result {
            Ok(done) => writer.complete(done.clone()),
            Err(Failure::Failed { reason, step }) => writer.fail(reason, *step),
            // Dropping the writer frees the run; its state then reads interrupted.
            Err(Failure::Interrupted) => writer.note("interrupted").map(|()| Published::Yes),
            Err(Failure::Unwritten(_)) => Ok(Published::Yes),
            Err(Failure::Lost) => Ok(Published::Elsewhere),
        };
        let end = match (result, stored) {
            (_, Err(error)) => RunEnd::Failed(Stop::Store(error).to_string()),
            (_, Ok(Published::Elsewhere)) => RunEnd::Elsewhere,
            (Ok(_), Ok(_)) => RunEnd::Completed,
            (Err(Failure::Failed { reason, .. } | Failure::Unwritten(reason)), Ok(_)) => {
                RunEnd::Failed(reason)
            }
            (Err(Failure::Interrupted | Failure::Lost), Ok(_)) => RunEnd::Interrupted,
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

    fn manifest(&self, run: &PlannedRun, cast: Option<&Cast>, provenance: &Provenance) -> ManifestStart {
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
            adapter: cast.map(|cast| cast.adapter.clone()).unwrap_or_default(),
            device: cast.and_then(|cast| cast.device.clone()),
            machine: provenance.machine.clone(),
            data: arm.data.clone(),
            content: arm.content.iter().cloned().collect(),
            models: arm.pins.clone(),
            imported: arm.imported.clone(),
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
struct Company {
    /// Indices into the selected runs.
    runs: Range<usize>,
    /// As many as their agent wants together.
    most: usize,
}

impl Company {
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
struct Task<'a> {
    cast: &'a Cast,
    periods_per_year: f64,
    /// Whether it is no baseline.
    subject: bool,
    progress: &'a Progress,
    limit: TimeLimit,
    checkpoint_every: u32,
}

impl Task<'_> {
    fn run(
        &self,
        learner: &mut dyn Learner,
        writer: &mut RunWriter,
        taken: &mut u64,
    ) -> Result<CompletedInfo, Failure> {
        let watch = self.train(learner, writer, taken)?;
        let lost = writer.lost();
        let unmoved = learner.final_entropy().and_then(|entropy| watch.unmoved(entropy));
        let mut warnings: Vec<Warning> =
            unmoved.into_iter().chain(watch.explosion()).chain(watch.thrashing()).collect();
        let receipt = learner.receipt();
        if let Some(moved) = receipt.as_ref().and_then(moved_though_frozen) {
            let problem = "moved although frozen".to_owned();
            return Err(AgentError::Receipt { tensor: moved.to_owned(), problem }.into());
        }
        let Cast { in_sample, valid, test, .. } = self.cast;
        let arenas: Vec<&Arena> =
            [Some(in_sample), valid.as_ref(), Some(test)].into_iter().flatten().collect();
        let mut evaluations = self.evaluate(learner, &arenas, &lost, taken)?.into_iter();
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
        let prompts = learner.prompts();
        warnings.extend(prompts.and_then(|prompts| watch.shortened(prompts)));
        let folder = writer.checkpoint_dir()?;
        learner.save(&folder)?;
        Ok(CompletedInfo { metrics, receipt, prompts, warnings, equal_turnover, rescored })
    }

    fn train(
        &self,
        learner: &mut dyn Learner,
        writer: &mut RunWriter,
        taken: &mut u64,
    ) -> Result<Watch, Failure> {
        let mut log = Rows::new(writer, self.progress, self.limit, self.checkpoint_every)?;
        let training =
            Training { arena: &self.cast.train, validation: self.cast.valid.as_ref(), log: &mut log };
        let trained = learner.train(training);
        *taken += log.steps();
        let (stop, watch) = log.end();
        match stop {
            Some(Stop::Interrupted) => Err(Failure::Interrupted),
            Some(Stop::Lost) => Err(Failure::Lost),
            Some(stop @ (Stop::NotFinite { step, .. } | Stop::TimeLimit { step, .. })) => {
                Err(Failure::Failed { reason: stop.to_string(), step: Some(step) })
            }
            Some(stop @ Stop::Store(_)) => Err(Failure::Unwritten(stop.to_string())),
            None => trained.map(|()| watch).map_err(Failure::from),
        }
    }

    fn evaluate(
        &self,
        learner: &mut dyn Learner,
        arenas: &[&Arena],
        lost: &Lost,
        taken: &mut u64,
    ) -> Result<Vec<Evaluation>, Failure> {
        let evaluations = evaluate(learner, arenas, || {
            self.progress.took(1);
            *taken += 1;
            !(self.progress.stopped() || lost.is_so() || self.limit.is_over())
        });
        match evaluations {
            Err(AgentError::Interrupted) if lost.is_so() => Err(Failure::Lost),
            Err(AgentError::Interrupted) if self.limit.is_over() && !self.progress.stopped() => {
                Err(failed(&Stop::TimeLimit { seconds: self.limit.seconds, step: *taken }))
            }
            evaluations => Ok(evaluations?),
        }
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
        self.ends.iter().filter(|ended_run| ended(&ended_run.end)).count()
    }
}
