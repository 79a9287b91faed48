//! What the files of cgroup v2 tell of the use of the machine.

use sys::rustix::io::Errno;

use super::super::error::Result;
use super::super::statistics::{
    BlockIoUse, CpuSetUse, CpuUse, DeviceUse, MemoryUse, Pressure, Statistics, Usage,
};
use super::super::text;
use super::V2;

impl V2 {
    pub(in super::super) fn read_statistics(&self) -> Result<Statistics> {
        let mut all = Statistics {
            cpu: self.cpu()?,
            cpu_set: CpuSetUse {
                cpus: text::list(&self.read("cpuset.cpus.effective")?),
                mems: text::list(&self.read("cpuset.mems.effective")?),
                ..CpuSetUse::default()
            },
            memory: self.memory()?,
            pids: self.usage("pids.current", "pids.max")?,
            block_io: self.block_io()?,
            rdma: text::rdma(&self.read("rdma.current")?, &self.read("rdma.max")?),
            ..Statistics::default()
        };
        for size in self.folder.huge_page_sizes("current")? {
            let file = |file: &str| format!("hugetlb.{size}.{file}");
            let mut usage = self.usage(&file("current"), &file("max"))?;
            usage.failures = text::value_of(&self.read(&file("events"))?, "max");
            all.huge_pages.insert(size, usage);
        }
        Ok(all)
    }

    /// A file's text; nothing when the controller was not handed down.
    fn read(&self, file: &str) -> Result<String> {
        Ok(self.folder.read_if_there(file)?.unwrap_or_default())
    }

    fn number(&self, file: &str) -> Result<u64> {
        Ok(self.read(file)?.trim_end().parse().unwrap_or(0))
    }

    fn usage(&self, current: &str, max: &str) -> Result<Usage> {
        let limit = text::limit(&self.read(max)?);
        Ok(Usage { usage: self.number(current)?, limit, ..Usage::default() })
    }

    /// `None` when the kernel was built or started without it.
    fn pressure(&self, file: &str) -> Result<Option<Pressure>> {
        match self.folder.read_if_there(file) {
            Err(error) if error.errno == Errno::OPNOTSUPP => Ok(None),
            other => Ok(other?.as_deref().and_then(text::pressure)),
        }
    }

    fn cpu(&self) -> Result<CpuUse> {
        let stat = self.read("cpu.stat")?;
        let nanoseconds = |key| text::value_of(&stat, key).saturating_mul(1000);
        Ok(CpuUse {
            total: nanoseconds("usage_usec"),
            user: nanoseconds("user_usec"),
            kernel: nanoseconds("system_usec"),
            periods: text::value_of(&stat, "nr_periods"),
            throttled_periods: text::value_of(&stat, "nr_throttled"),
            throttled_time: nanoseconds("throttled_usec"),
            pressure: self.pressure("cpu.pressure")?,
            ..CpuUse::default()
        })
    }

    fn memory(&self) -> Result<MemoryUse> {
        let mut memory = self.usage("memory.current", "memory.max")?;
        let swap = self.usage("memory.swap.current", "memory.swap.max")?;
        let events = self.read("memory.events")?;
        memory.peak = self.number("memory.peak")?;
        memory.failures = text::value_of(&events, "max");
        let stat = self.read("memory.stat")?;
        let kernel = Usage { usage: text::value_of(&stat, "kernel"), ..Usage::default() };
        Ok(MemoryUse {
            memory,
            with_swap: Usage {
                usage: memory.usage.saturating_add(swap.usage),
                limit: memory
                    .limit
                    .zip(swap.limit)
                    .map(|(memory, swap)| memory.saturating_add(swap)),
                ..Usage::default()
            },
            kernel,
            cache: text::value_of(&stat, "file"),
            killed: text::value_of(&events, "oom_kill"),
            raw: text::flat(&stat).map(|(key, value)| (key.to_owned(), value)).collect(),
            pressure: self.pressure("memory.pressure")?,
            ..MemoryUse::default()
        })
    }

    fn block_io(&self) -> Result<BlockIoUse> {
        let (bytes, operations) = device_uses(&self.read("io.stat")?);
        Ok(BlockIoUse { bytes, operations, pressure: self.pressure("io.pressure")? })
    }
}

/// Bytes and operations from lines `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N dbytes=N dios=N`.
fn device_uses(text: &str) -> (Vec<DeviceUse>, Vec<DeviceUse>) {
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some((major, minor)) = words.next().and_then(text::device) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, operation) = match key {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "dbytes" => (&mut bytes, "Discard"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                "dios" => (&mut operations, "Discard"),
                _ => continue,
            };
            if let Ok(value) = value.parse() {
                list.push(DeviceUse { major, minor, operation: operation.to_owned(), value });
            }
        }
    }
    (bytes, operations)
}

#[cfg(test)]
mod tests {
    use super::device_uses;

    #[test]
    fn bytes_and_operations_are_told_apart() {
        let text = "8:16 rbytes=4096 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\n8:0 \n";
        let (bytes, operations) = device_uses(text);
        let short = |list: &[super::DeviceUse]| -> Vec<_> {
            list.iter().map(|it| (it.minor, it.operation.clone(), it.value)).collect()
        };
        let expect =
            |list: [(&str, u64); 3]| list.map(|(name, value)| (16, name.to_owned(), value));
        assert_eq!(short(&bytes), expect([("Read", 4096), ("Write", 1), ("Discard", 0)]));
        assert_eq!(short(&operations), expect([("Read", 2), ("Write", 3), ("Discard", 0)]));
    }
}
