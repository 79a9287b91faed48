//! How the kernel schedules a process on processors and disks.

use super::out_of_range;
use crate::json::{Problem, Text, names, object};

object! {
    /// The arguments of sched_setattr(2).
    pub struct Scheduler, check check_scheduler {
        /// The policy, which says what of the rest counts.
        required policy: SchedulerPolicy = "policy",
        /// -20 to 19, for the policies of ordinary processes.
        optional nice: i32 = "nice",
        /// The static priority, for the real-time policies.
        optional priority: i32 = "priority",
        /// Flags.
        optional flags: Vec<SchedulerFlag> = "flags",
        /// Nanoseconds of each period that it may run, for the deadline policy.
        optional runtime: u64 = "runtime",
        /// Nanoseconds after which it must have run, for the deadline policy.
        optional deadline: u64 = "deadline",
        /// Nanoseconds of the period, for the deadline policy.
        optional period: u64 = "period",
    }
}

fn check_scheduler(scheduler: &Scheduler) -> Result<(), Problem> {
    use SchedulerPolicy::{Deadline, Fifo, RoundRobin};
    let Scheduler { policy, nice, priority, runtime, deadline, period, .. } = *scheduler;
    if !(-20..=19).contains(&nice) {
        return Err(out_of_range("nice", nice, -20, 19));
    }
    let (low, high) = if matches!(policy, Fifo | RoundRobin) { (1, 99) } else { (0, 0) };
    if !(low..=high).contains(&priority) {
        let what = format_args!("{priority} is not from {low} to {high}, as {policy} has it");
        return Err(Problem::at("priority", what));
    }
    for (field, time) in [("runtime", runtime), ("deadline", deadline), ("period", period)] {
        if time != 0 && policy != Deadline {
            return Err(Problem::at(field, format_args!("{policy} has none; {Deadline} has one")));
        }
    }
    Ok(())
}

names! {
    /// A policy of sched(7).
    pub enum SchedulerPolicy {
        /// The usual one.
        Other = "SCHED_OTHER",
        /// Real time, first come first served.
        Fifo = "SCHED_FIFO",
        /// Real time, in turn.
        RoundRobin = "SCHED_RR",
        /// Work that nobody waits for.
        Batch = "SCHED_BATCH",
        /// Reserved by the kernel.
        Iso = "SCHED_ISO",
        /// Only when there is nothing else to do.
        Idle = "SCHED_IDLE",
        /// Real time, by deadline.
        Deadline = "SCHED_DEADLINE",
    }
}

names! {
    /// A flag of sched_setattr(2).
    pub enum SchedulerFlag {
        /// Children get the usual policy.
        ResetOnFork = "SCHED_FLAG_RESET_ON_FORK",
        /// Runtime left over by others may be used.
        Reclaim = "SCHED_FLAG_RECLAIM",
        /// SIGXCPU tells of an overrun.
        DeadlineOverrun = "SCHED_FLAG_DL_OVERRUN",
        /// The policy stays as it is.
        KeepPolicy = "SCHED_FLAG_KEEP_POLICY",
        /// The parameters stay as they are.
        KeepParams = "SCHED_FLAG_KEEP_PARAMS",
        /// The lower bound of the utilisation is set.
        UtilizationClampMin = "SCHED_FLAG_UTIL_CLAMP_MIN",
        /// The upper bound of the utilisation is set.
        UtilizationClampMax = "SCHED_FLAG_UTIL_CLAMP_MAX",
    }
}

object! {
    /// The arguments of ioprio_set(2).
    #[derive(Copy)]
    pub struct IoPriority, check check_io_priority {
        /// The class.
        required class: IoPriorityClass = "class",
        /// 0, the first to be served, to 7.
        always priority: i32 = "priority",
    }
}

fn check_io_priority(priority: &IoPriority) -> Result<(), Problem> {
    if (0..=7).contains(&priority.priority) {
        Ok(())
    } else {
        Err(out_of_range("priority", priority.priority, 0, 7))
    }
}

names! {
    /// A class of ioprio_set(2).
    pub enum IoPriorityClass {
        /// Before all others.
        RealTime = "IOPRIO_CLASS_RT",
        /// The usual one.
        BestEffort = "IOPRIO_CLASS_BE",
        /// Only when the disk has nothing else to do.
        Idle = "IOPRIO_CLASS_IDLE",
    }
}

object! {
    /// Lists of processors such as `0-3,7`.
    #[derive(Default)]
    pub struct CpuAffinity<'a> {
        /// Where the runtime's own process runs before it joins the container's cgroup.
        optional initial: Text<'a> = "initial",
        /// Where the process runs then.
        optional r#final: Text<'a> = "final",
    }
}
