//! What both versions of cgroups ask of a limit, and write alike.

use super::error::{Error, Result};
use super::resources::{BlockIo, Cpu, HugePages, Memory, Rdma};
use super::write::{Controller, Write};

/// A number as text, unless it is missing or zero, which means the same.
pub(super) fn set<Number: Default + PartialEq + ToString>(value: Option<Number>) -> Option<String> {
    value.filter(|value| *value != Number::default()).map(|value| value.to_string())
}

/// A name that becomes a part of a line for the kernel must be one word.
pub(super) fn word(field: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::resource(field, format!("{text:?} is not a name")));
    }
    Ok(())
}

/// Memory and swap together; without a word about swap it is unlimited when memory is.
pub(super) fn total_with_swap(memory: &Memory) -> Option<i64> {
    match (memory.limit, memory.swap) {
        (Some(-1), None | Some(0)) => Some(-1),
        (_, swap) => swap,
    }
}

/// Negative numbers that are not -1, swap that leaves no room for the memory, swappiness.
pub(super) fn memory(memory: &Memory) -> Result<()> {
    let sizes = [
        ("memory.limit", memory.limit),
        ("memory.reservation", memory.reservation),
        ("memory.swap", memory.swap),
        ("memory.kernelTCP", memory.kernel_tcp),
    ];
    for (field, size) in sizes {
        if let Some(size) = size.filter(|size| *size < -1) {
            return Err(Error::resource(
                field,
                format!("{size} is neither a size in bytes nor -1"),
            ));
        }
    }
    let (limit, swap) = (memory.limit.unwrap_or(0), memory.swap.unwrap_or(0));
    if limit > 0 && swap > 0 && swap < limit {
        let reason = format!("{swap} (memory and swap together) is below the memory limit {limit}");
        return Err(Error::resource("memory.swap", reason));
    }
    if limit == -1 && swap > 0 {
        let reason = format!("{swap} cannot be kept when memory.limit is -1");
        return Err(Error::resource("memory.swap", reason));
    }
    if let Some(swappiness) = memory.swappiness.filter(|it| *it > 100) {
        return Err(Error::resource("memory.swappiness", format!("{swappiness} is not 0 to 100")));
    }
    Ok(())
}

/// `cpuset.cpus` and `cpuset.mems`.
pub(super) fn cpu_set(cpu: &Cpu) -> Result<Vec<Write>> {
    let lists = [("cpu.cpus", "cpuset.cpus", &cpu.cpus), ("cpu.mems", "cpuset.mems", &cpu.mems)];
    let mut writes = Vec::new();
    for (field, file, list) in lists {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else { continue };
        if !is_list(list) {
            let reason = format!("{list:?} is not a list of numbers and ranges, as 0-3,7");
            return Err(Error::resource(field, reason));
        }
        writes.push(Write::new(Controller::CpuSet, field, file, list));
    }
    Ok(writes)
}

/// Numbers and ranges between commas: cpuset(7), "List format".
fn is_list(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+'));
    text.split(',').all(|part| match part.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(a, b)| a <= b),
        None => number(part).is_some(),
    })
}

/// `pids.max`. No process at all is impossible, since the first one is in the group already; like
/// runc and systemd this takes it for one.
pub(super) fn pids(limit: Option<i64>) -> Vec<Write> {
    let value = |limit: i64| if limit < 0 { "max".to_owned() } else { limit.max(1).to_string() };
    let write = |limit| {
        let write = Write::new(Controller::Pids, "pids.limit", "pids.max", value(limit));
        // No limit needs no controller.
        if limit < 0 { write.or_skip() } else { write }
    };
    limit.map(write).into_iter().collect()
}

/// Both kinds of limits for each size: what is used, and (since 5.7) what is reserved, without
/// which a process that uses more than it may dies of a fault instead of being refused.
pub(super) fn huge_pages(limits: &[HugePages], [used, reserved]: [&str; 2]) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    for (index, HugePages { page_size, limit }) in limits.iter().enumerate() {
        let number = ["KB", "MB", "GB"].iter().find_map(|unit| page_size.strip_suffix(unit));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !number.is_some_and(is_number) {
            let reason = format!("{page_size:?} is not a size such as 2MB");
            return Err(Error::resource(format!("hugepageLimits[{index}].pageSize"), reason));
        }
        for (file, optional) in [(used, false), (reserved, true)] {
            let file = format!("hugetlb.{page_size}.{file}");
            let field = format!("hugepageLimits[{index}].limit");
            let write = Write::new(Controller::HugeTlb, field, file, limit.to_string());
            writes.push(if optional { write.or_skip() } else { write });
        }
    }
    Ok(writes)
}

/// `rdma.max`.
pub(super) fn rdma(limits: &[Rdma]) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    for Rdma { device, hca_handles, hca_objects } in limits {
        word("rdma", device)?;
        let mut line = device.clone();
        for (name, limit) in [("hca_handle", hca_handles), ("hca_object", hca_objects)] {
            if let Some(limit) = limit {
                line.push_str(&format!(" {name}={limit}"));
            }
        }
        if hca_handles.is_some() || hca_objects.is_some() {
            writes.push(Write::new(Controller::Rdma, format!("rdma.{device}"), "rdma.max", line));
        }
    }
    Ok(writes)
}

/// Weights of block devices.
pub(super) fn weights(block_io: &BlockIo) -> Result<()> {
    let devices = block_io.weight_device.iter();
    let of_devices = devices.flat_map(|it| {
        [
            ("blockIO.weightDevice.weight", it.weight),
            ("blockIO.weightDevice.leafWeight", it.leaf_weight),
        ]
    });
    let own = [("blockIO.weight", block_io.weight), ("blockIO.leafWeight", block_io.leaf_weight)];
    for (field, weight) in own.into_iter().chain(of_devices) {
        if let Some(weight) = weight.filter(|it| *it != 0 && !(10..=1000).contains(it)) {
            return Err(Error::resource(field, format!("{weight} is not 10 to 1000")));
        }
    }
    Ok(())
}
