//! Progress on stderr: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use runner::{Event, Progress, RunEnd};

/// Time between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);
/// Time between two drawings of the bar.
const DRAWN: Duration = Duration::from_millis(500);

/// Shows the counters of an execution while it goes on.
pub(crate) struct Display<'a> {
    progress: &'a Progress,
    start: Instant,
    bar: Option<ProgressBar>,
    ended: AtomicBool,
    tick: (Mutex<()>, Condvar),
    /// Whether counters are left out.
    is_silent: bool,
}

impl<'a> Display<'a> {
    pub fn new(progress: &'a Progress) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{bar:30} {msg}").expect("invariant: the template is valid");
            ProgressBar::new(0).with_style(style)
        });
        let tick = (Mutex::new(()), Condvar::new());
        Display {
            progress,
            start: Instant::now(),
            bar,
            ended: AtomicBool::new(false),
            tick,
            is_silent: false,
        }
    }

    /// Tells what happens only: the counters are another process's, or nobody's.
    pub fn without_counters(progress: &'a Progress) -> Self {
        Display { bar: None, is_silent: true, ..Self::new(progress) }
    }

    /// Does `work` while showing its progress.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            scope.spawn(|| self.show());
            // Ends the display also when `work` panics: the scope waits for its thread.
            let _end = End(self);
            work()
        })
    }

    /// Tells how a run ended; starts are left to the counters.
    pub fn hear(&self, event: Event<'_>) {
        let (run, arm, end) = match event {
            Event::Started { .. } => return,
            Event::Said { line } => return self.line(line),
            Event::Ended { run, arm, end } => (run, arm, end),
        };
        let how = match end {
            RunEnd::Completed => "completed".to_owned(),
            RunEnd::Failed(reason) => format!("failed: {reason}"),
            RunEnd::Skipped(reason) => format!("skipped: {reason}"),
            RunEnd::Interrupted => "interrupted".to_owned(),
            RunEnd::Elsewhere => "left to another process".to_owned(),
        };
        let line = format!("{} seed {} ({}) {how}", arm, run.seed, run.id);
        match self.bar.is_some() || self.is_silent {
            true => self.line(&line),
            false => say(&format!("{line}; {}", self.status())),
        }
    }

    /// A line beside the counters.
    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => say(line),
        }
    }

    /// `12 of 42 runs, 1 failed, 210 steps/s, 3 min left`.
    fn status(&self) -> String {
        let elapsed = self.start.elapsed();
        let mut parts = vec![format!("{} of {} runs", self.progress.ended(), self.progress.runs())];
        if self.progress.failed() > 0 {
            parts.push(format!("{} failed", self.progress.failed()));
        }
        parts.push(format!("{:.0} steps/s", self.progress.steps() as f64 / elapsed.as_secs_f64().max(1e-3)));
        if let Some(left) =
            self.progress.left(elapsed).filter(|_| self.progress.ended() < self.progress.runs())
        {
            parts.push(format!("{} left", duration(left)));
        }
        parts.join(", ")
    }

    fn show(&self) {
        let interval = if self.bar.is_some() { DRAWN } else { PLAIN };
        let mut guard = self.tick.0.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            let waited =
                self.tick.1.wait_timeout_while(guard, interval, |()| !self.ended.load(Ordering::Relaxed));
            let (held, timeout) = waited.unwrap_or_else(|e| e.into_inner());
            guard = held;
            if !timeout.timed_out() {
                break;
            }
            match &self.bar {
                Some(bar) => {
                    bar.set_length(self.progress.runs() as u64);
                    bar.set_position(self.progress.ended() as u64);
                    bar.set_message(self.status());
                }
                None if self.is_silent => {}
                None => say(&self.status()),
            }
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

struct End<'d, 'a>(&'d Display<'a>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        let _guard = self.0.tick.0.lock().unwrap_or_else(|e| e.into_inner());
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.tick.1.notify_all();
    }
}

/// A line on stderr; a closed stderr stops no run.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `45 s`, `12 min`, `3.5 h`.
pub(crate) fn duration(d: Duration) -> String {
    match d.as_secs() {
        s @ 0..100 => format!("{s} s"),
        s @ 100..6000 => format!("{} min", (s + 30) / 60),
        s => format!("{:.1} h", s as f64 / 3600.0),
    }
}
