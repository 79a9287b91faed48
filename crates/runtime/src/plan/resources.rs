//! `linux.resources` as the cgroup layer takes them.

use kernel::cgroup::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRate, DeviceRule, DeviceWeight, HugePages,
    Memory, Network, Rdma, Resources,
};
use spec::json::Text;
use spec::runtime as oci;

/// All limits of a container, and the rules for its devices.
pub(crate) fn resources(resources: &oci::Resources<'_>) -> Resources {
    Resources {
        cpu: resources.cpu.as_ref().map(cpu).unwrap_or_default(),
        memory: resources.memory.as_ref().map(memory).unwrap_or_default(),
        pids: resources.pids.and_then(|pids| pids.limit),
        block_io: resources.block_io.as_ref().map(block_io).unwrap_or_default(),
        huge_pages: resources.hugepage_limits.iter().map(huge_pages).collect(),
        network: resources.network.as_ref().map(network).unwrap_or_default(),
        rdma: resources.rdma.iter().map(|(device, limits)| rdma(device, *limits)).collect(),
        devices: Some(resources.devices.iter().map(device_rule).collect()),
        unified: resources
            .unified
            .iter()
            .map(|(file, text)| (file.to_string(), text.to_string()))
            .collect(),
    }
}

/// Limits as the cgroup layer takes them, for `update` and for groups above containers: no rules for
/// devices means to leave them alone.
#[must_use]
pub fn updates(update: &oci::Resources<'_>) -> Resources {
    let devices = resources(update).devices.filter(|rules| !rules.is_empty());
    Resources { devices, ..resources(update) }
}

fn text(text: &Text<'_>) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn cpu(cpu: &oci::Cpu<'_>) -> Cpu {
    Cpu {
        shares: cpu.shares,
        quota: cpu.quota,
        burst: cpu.burst,
        period: cpu.period,
        realtime_runtime: cpu.realtime_runtime,
        realtime_period: cpu.realtime_period,
        cpus: text(&cpu.cpus),
        mems: text(&cpu.mems),
        idle: cpu.idle,
    }
}

fn memory(memory: &oci::Memory) -> Memory {
    Memory {
        limit: memory.limit,
        reservation: memory.reservation,
        swap: memory.swap,
        kernel_tcp: memory.kernel_tcp,
        swappiness: memory.swappiness,
        disable_oom_killer: memory.disable_oom_killer,
        use_hierarchy: memory.use_hierarchy,
        check_before_update: memory.check_before_update,
    }
}

fn block_io(block_io: &oci::BlockIo) -> BlockIo {
    let rates = |devices: &[oci::ThrottleDevice]| {
        let rate = |it: &oci::ThrottleDevice| DeviceRate {
            major: it.major,
            minor: it.minor,
            rate: it.rate,
        };
        devices.iter().map(rate).collect()
    };
    let weight = |it: &oci::WeightDevice| DeviceWeight {
        major: it.major,
        minor: it.minor,
        weight: it.weight,
        leaf_weight: it.leaf_weight,
    };
    BlockIo {
        weight: block_io.weight,
        leaf_weight: block_io.leaf_weight,
        weight_device: block_io.weight_device.iter().map(weight).collect(),
        read_bps: rates(&block_io.throttle_read_bps),
        write_bps: rates(&block_io.throttle_write_bps),
        read_iops: rates(&block_io.throttle_read_iops),
        write_iops: rates(&block_io.throttle_write_iops),
    }
}

fn huge_pages(limit: &oci::HugepageLimit<'_>) -> HugePages {
    HugePages { page_size: limit.page_size.to_string(), limit: limit.limit }
}

fn network(network: &oci::NetworkClass<'_>) -> Network {
    let priority = |it: &oci::InterfacePriority<'_>| (it.name.to_string(), it.priority);
    Network {
        class_id: network.class_id,
        priorities: network.priorities.iter().map(priority).collect(),
    }
}

fn rdma(device: &Text<'_>, limits: oci::Rdma) -> Rdma {
    let oci::Rdma { hca_handles, hca_objects } = limits;
    Rdma { device: device.to_string(), hca_handles, hca_objects }
}

fn device_rule(rule: &oci::DeviceRule<'_>) -> DeviceRule {
    // -1 stands for all, and so does what does not fit; the specification's types have checked it.
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let has = |letter| rule.access.is_empty() || rule.access.contains(letter);
    DeviceRule {
        allow: rule.allow,
        kind: match rule.kind {
            None | Some(oci::DeviceRuleKind::All) => DeviceKind::All,
            Some(oci::DeviceRuleKind::Block) => DeviceKind::Block,
            Some(oci::DeviceRuleKind::Character) => DeviceKind::Character,
        },
        major: number(rule.major),
        minor: number(rule.minor),
        access: DeviceAccess { read: has('r'), write: has('w'), mknod: has('m') },
    }
}

#[cfg(test)]
mod tests {
    use super::{resources, updates};
    use kernel::cgroup::{DeviceAccess, DeviceKind};

    fn parse(text: &str) -> spec::runtime::Resources<'_> {
        spec::json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_update_without_rules_leaves_devices_alone() {
        assert_eq!(updates(&parse(r#"{"pids":{"limit":5}}"#)).devices, None);
        assert_eq!(
            updates(&parse(r#"{"devices":[{"allow":true}]}"#)).devices.map(|it| it.len()),
            Some(1)
        );
        assert_eq!(resources(&parse("{}")).devices, Some(Vec::new()));
    }

    #[test]
    fn a_rule_with_minus_one_is_about_all() {
        let text = r#"{"devices":[{"allow":true,"type":"c","major":-1,"minor":3,"access":"rm"}]}"#;
        let rule = resources(&parse(text)).devices.unwrap()[0];
        assert_eq!((rule.kind, rule.major, rule.minor), (DeviceKind::Character, None, Some(3)));
        assert_eq!(rule.access, DeviceAccess { read: true, write: false, mknod: true });
    }
}
