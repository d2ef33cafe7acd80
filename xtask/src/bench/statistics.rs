//! The statistics of a sweep beside quantstats, rliable and arch.

use std::process::Command;

use super::{Size, in_turn, machine, output, rows};
use crate::{flaglab, python};

const SCRIPT: &str = "benches/peer_statistics.py";
const TURNS: usize = 3;

/// Both programs on the same returns.
pub fn section(size: Size) -> anyhow::Result<String> {
    let turns = size.pick(TURNS, 1);
    let ours = flaglab::example("statistics")?;
    let file = size.folder("statistics")?.join("statistics.f64");
    output(Command::new(&ours).arg("make").arg(&file))?;
    let versions = output(python::script(&python::STATISTICS, SCRIPT)?.arg("versions"))?;
    let (our_values, their_values) = in_turn(
        "statistics",
        turns,
        || output(Command::new(&ours).arg("run")),
        || output(python::script(&python::STATISTICS, SCRIPT)?.arg("run").arg(&file)),
    )?;
    let mut table = String::new();
    rows(&mut table, "100 arms, 20 seeds, 252 days", &our_values, &their_values)?;
    Ok(format!(
        "What a report computes of a sweep, 10,000 resamples everywhere: mean and IQM of every arm with intervals, its\n\
         probability of improvement over 3 baselines with intervals, SPA and Reality Check of all arms, deflated Sharpe ratio and\n\
         PBO (12,870 splits) of the search; `together` is their sum, aimed at: under 2 s on two cores and 500 MiB, 20 times as\n\
         fast. Tear sheets are those of the 2,000 runs. The other side is quantstats (tear sheets), rliable (intervals,\n\
         improvement), arch (SPA) and numpy (deflated Sharpe, PBO) on one core, as they come. Its tear sheets, intervals and\n\
         improvements are timed on a part (40 runs; 4 arms, 1,000 resamples) and multiplied. Processor time is that of all\n\
         threads, which other programs on the machine lengthen less. Turns: {turns}.\n\n\
         | what | measure | flaglab | Python | ratio | range |\n|---|---|---|---|---|---|\n{table}\n\
         {}\n",
        machine(&versions)?
    ))
}
