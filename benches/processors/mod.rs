//! How busy the machine is with other things than this program and its children. It starts nothing.

use std::fs;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

use crate::served::Outcome;

/// The processors' time up to a moment, in seconds.
pub struct Processors {
    busy: f64,
    idle: f64,
    /// What this program took, and each child that was waited for.
    own: f64,
}

impl Processors {
    pub fn now() -> Outcome<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let all = stat.lines().next().ok_or("`/proc/stat` is empty")?;
        let ticks = all.split_whitespace().skip(1).map(str::parse::<f64>);
        let ticks: Vec<f64> = ticks.collect::<Result<_, _>>()?;
        // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; then guests, who are
        // in the first two already.
        let &[user, nice, system, idle, wait, irq, softirq, steal, ..] = &ticks[..] else {
            return Err("`/proc/stat` has too few fields".into());
        };
        let per_second = ticks_per_second()?;
        let own = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN];
        let own = own.map(getrusage).into_iter().collect::<Result<Vec<Usage>, _>>()?;
        let micros = own.iter().map(|usage| usage.user_time() + usage.system_time());
        Ok(Self {
            busy: (user + nice + system + irq + softirq + steal) / per_second,
            idle: (idle + wait) / per_second,
            own: micros.map(|time| time.num_microseconds() as f64 / 1e6).sum(),
        })
    }

    /// The share that others had since then.
    pub fn taken_by_others(&self) -> Outcome<f64> {
        let now = Self::now()?;
        let (busy, idle) = (now.busy - self.busy, now.idle - self.idle);
        Ok((busy - (now.own - self.own)) / (busy + idle))
    }
}

pub fn ticks_per_second() -> Outcome<f64> {
    Ok(sysconf(SysconfVar::CLK_TCK)?.ok_or("the system has no clock ticks")? as f64)
}
