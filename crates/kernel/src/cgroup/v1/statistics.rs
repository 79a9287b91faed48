//! What the files of cgroup v1 tell of the use of the machine.

use super::super::error::Result;
use super::super::statistics::{
    BlockIoUse, CpuSetUse, CpuUse, DeviceUse, MemoryUse, Statistics, Usage,
};
use super::super::text;
use super::V1;

impl V1 {
    /// Fills in what the controllers of v1 count.
    pub(in super::super) fn add_statistics(&self, all: &mut Statistics) -> Result<()> {
        if self.folder("cpuacct").is_some() {
            self.cpu_accounting(&mut all.cpu)?;
        }
        if self.folder("cpu").is_some() {
            let stat = self.read("cpu.stat")?;
            all.cpu.periods = text::value_of(&stat, "nr_periods");
            all.cpu.throttled_periods = text::value_of(&stat, "nr_throttled");
            all.cpu.throttled_time = text::value_of(&stat, "throttled_time");
        }
        if self.folder("cpuset").is_some() {
            all.cpu_set = self.cpu_set()?;
        }
        if self.folder("memory").is_some() {
            self.memory(&mut all.memory)?;
        }
        if self.folder("pids").is_some() {
            let limit = text::limit(&self.read("pids.max")?);
            all.pids = Usage { usage: self.number("pids.current")?, limit, ..Usage::default() };
        }
        if self.folder("blkio").is_some() {
            self.block_io(&mut all.block_io)?;
        }
        if let Some(folder) = self.folder("hugetlb") {
            for size in folder.huge_page_sizes("usage_in_bytes")? {
                let usage = self.usage(&format!("hugetlb.{size}."))?;
                all.huge_pages.insert(size, usage);
            }
        }
        if self.folder("rdma").is_some() {
            all.rdma = text::rdma(&self.read("rdma.current")?, &self.read("rdma.max")?);
        }
        Ok(())
    }

    /// A file of the controller after which it is named; nothing when there is no such file.
    fn read(&self, file: &str) -> Result<String> {
        let folder = file.split('.').next().and_then(|name| self.folder(name));
        let text = folder.map(|folder| folder.read_if_there(file)).transpose()?;
        Ok(text.flatten().unwrap_or_default())
    }

    fn number(&self, file: &str) -> Result<u64> {
        Ok(self.read(file)?.trim_end().parse().unwrap_or(0))
    }

    /// The four files in which memory of one kind is told.
    fn usage(&self, prefix: &str) -> Result<Usage> {
        Ok(Usage {
            usage: self.number(&format!("{prefix}usage_in_bytes"))?,
            peak: self.number(&format!("{prefix}max_usage_in_bytes"))?,
            limit: text::limit(&self.read(&format!("{prefix}limit_in_bytes"))?),
            failures: self.number(&format!("{prefix}failcnt"))?,
        })
    }

    fn cpu_accounting(&self, cpu: &mut CpuUse) -> Result<()> {
        cpu.total = self.number("cpuacct.usage")?;
        cpu.user = self.number("cpuacct.usage_user")?;
        cpu.kernel = self.number("cpuacct.usage_sys")?;
        cpu.per_cpu = text::numbers(&self.read("cpuacct.usage_percpu")?);
        // A heading, and then for each processor its number, user and system time.
        let each = self.read("cpuacct.usage_all")?;
        let each: Vec<_> = each.lines().skip(1).map(text::numbers).collect();
        let column =
            |index: usize| each.iter().filter_map(|line| line.get(index).copied()).collect();
        cpu.per_cpu_user = column(1);
        cpu.per_cpu_kernel = column(2);
        Ok(())
    }

    fn cpu_set(&self) -> Result<CpuSetUse> {
        Ok(CpuSetUse {
            cpus: text::list(&self.read("cpuset.cpus")?),
            mems: text::list(&self.read("cpuset.mems")?),
            cpu_exclusive: self.number("cpuset.cpu_exclusive")?,
            mem_exclusive: self.number("cpuset.mem_exclusive")?,
            mem_hardwall: self.number("cpuset.mem_hardwall")?,
            memory_migrate: self.number("cpuset.memory_migrate")?,
            memory_spread_page: self.number("cpuset.memory_spread_page")?,
            memory_spread_slab: self.number("cpuset.memory_spread_slab")?,
            memory_pressure: self.number("cpuset.memory_pressure")?,
            sched_load_balance: self.number("cpuset.sched_load_balance")?,
            sched_relax_domain_level: {
                let level = self.read("cpuset.sched_relax_domain_level")?;
                level.trim_end().parse().unwrap_or(0)
            },
        })
    }

    fn memory(&self, memory: &mut MemoryUse) -> Result<()> {
        memory.memory = self.usage("memory.")?;
        memory.with_swap = self.usage("memory.memsw.")?;
        memory.kernel = self.usage("memory.kmem.")?;
        memory.kernel_tcp = self.usage("memory.kmem.tcp.")?;
        let stat = self.read("memory.stat")?;
        memory.raw = text::flat(&stat).map(|(key, value)| (key.to_owned(), value)).collect();
        memory.cache = memory.raw.get("total_cache").copied().unwrap_or(0);
        memory.killed = text::value_of(&self.read("memory.oom_control")?, "oom_kill");
        Ok(())
    }

    /// What the scheduler BFQ counts, or else what throttling counts, which sees less when there
    /// are no limits.
    fn block_io(&self, block_io: &mut BlockIoUse) -> Result<()> {
        let read = |bfq, throttle| -> Result<Vec<DeviceUse>> {
            let devices = device_uses(&self.read(bfq)?);
            Ok(if devices.is_empty() { device_uses(&self.read(throttle)?) } else { devices })
        };
        block_io.bytes = read(
            "blkio.bfq.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes_recursive",
        )?;
        block_io.operations =
            read("blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive")?;
        Ok(())
    }
}

/// Lines `MAJOR:MINOR OPERATION VALUE`; the sum of all devices has no numbers and is left out.
fn device_uses(text: &str) -> Vec<DeviceUse> {
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let (major, minor) = text::device(words.next()?)?;
        let operation = words.next()?.to_owned();
        Some(DeviceUse { major, minor, operation, value: words.next()?.parse().ok()? })
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::device_uses;

    #[test]
    fn devices_are_told_from_their_sum() {
        let found = device_uses("8:0 Read 4096\n8:0 Total 5\nTotal 4101\n");
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].major, found[0].operation.as_str(), found[0].value),
            (8, "Read", 4096)
        );
    }
}
