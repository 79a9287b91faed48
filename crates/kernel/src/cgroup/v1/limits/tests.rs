use super::super::super::resources::{
    BlockIo, Cpu, DeviceRate, DeviceWeight, HugePages, Memory, Network, Rdma, Resources,
};
use super::super::super::write::Controller;
use super::of;

/// `FILE VALUE` in the order of writing.
fn lines(resources: &Resources) -> Vec<String> {
    let writes = Controller::ALL.into_iter().map(|controller| of(controller, resources).unwrap());
    writes.flatten().map(|write| format!("{} {}", write.file, write.value)).collect()
}

fn error(resources: &Resources) -> String {
    let errors = Controller::ALL.into_iter().find_map(|controller| of(controller, resources).err());
    errors.unwrap().to_string()
}

fn memory(memory: Memory) -> Resources {
    Resources { memory, ..Resources::default() }
}

#[test]
fn nothing_asked_nothing_written() {
    assert_eq!(lines(&Resources::default()), [""; 0]);
    let zero = Memory { limit: Some(0), swap: Some(0), reservation: Some(0), ..Memory::default() };
    assert_eq!(lines(&memory(zero)), [""; 0]);
}

#[test]
fn memory_comes_before_memory_and_swap() {
    let found = lines(&memory(Memory {
        limit: Some(100),
        swap: Some(300),
        reservation: Some(50),
        kernel_tcp: Some(7),
        swappiness: Some(0),
        disable_oom_killer: Some(true),
        ..Memory::default()
    }));
    let expected = [
        "memory.limit_in_bytes 100",
        "memory.soft_limit_in_bytes 50",
        "memory.kmem.tcp.limit_in_bytes 7",
        "memory.swappiness 0",
        "memory.oom_control 1",
        "memory.memsw.limit_in_bytes 300",
    ];
    assert_eq!(found, expected);
    // Unlimited memory must not be kept back by a limit of both.
    let unlimited = lines(&memory(Memory { limit: Some(-1), ..Memory::default() }));
    assert_eq!(unlimited, ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"]);
}

#[test]
fn processor_time_and_sets() {
    let cpu = Cpu {
        shares: Some(512),
        quota: Some(5000),
        burst: Some(10),
        period: Some(20_000),
        realtime_runtime: Some(950),
        realtime_period: Some(1000),
        cpus: Some("0-1,3".into()),
        mems: Some("0".into()),
        idle: Some(1),
    };
    let expected = [
        "cpu.shares 512",
        "cpu.rt_period_us 1000",
        "cpu.rt_runtime_us 950",
        "cpu.cfs_period_us 20000",
        "cpu.cfs_quota_us 5000",
        "cpu.cfs_burst_us 10",
        "cpu.idle 1",
        "cpuset.cpus 0-1,3",
        "cpuset.mems 0",
    ];
    assert_eq!(lines(&Resources { cpu, ..Resources::default() }), expected);
}

#[test]
fn devices_pages_and_networks() {
    let rate = |rate| vec![DeviceRate { major: 8, minor: 0, rate }];
    let weight = DeviceWeight { major: 8, minor: 16, weight: Some(300), leaf_weight: None };
    let resources = Resources {
        pids: Some(0),
        block_io: BlockIo {
            weight: Some(500),
            weight_device: vec![weight],
            read_bps: rate(1),
            write_bps: rate(2),
            read_iops: rate(3),
            write_iops: rate(4),
            ..BlockIo::default()
        },
        huge_pages: vec![HugePages { page_size: "2MB".into(), limit: 4096 }],
        rdma: vec![Rdma { device: "mlx5_0".into(), hca_handles: Some(2), hca_objects: None }],
        network: Network { class_id: Some(0x10_0001), priorities: vec![("lo".into(), 3)] },
        ..Resources::default()
    };
    let expected = [
        "pids.max 1",
        "blkio.weight 500",
        "blkio.weight_device 8:16 300",
        "blkio.throttle.read_bps_device 8:0 1",
        "blkio.throttle.write_bps_device 8:0 2",
        "blkio.throttle.read_iops_device 8:0 3",
        "blkio.throttle.write_iops_device 8:0 4",
        "hugetlb.2MB.limit_in_bytes 4096",
        "hugetlb.2MB.rsvd.limit_in_bytes 4096",
        "rdma.max mlx5_0 hca_handle=2",
        "net_cls.classid 1048577",
        "net_prio.ifpriomap lo 3",
    ];
    assert_eq!(lines(&resources), expected);
}

/// What the user wrote wrong is told with its place; nothing reaches the kernel half-checked.
#[test]
fn errors_name_the_field() {
    let limit = |limit| memory(Memory { limit: Some(limit), ..Memory::default() });
    assert_eq!(error(&limit(-5)), "memory.limit: -5 is neither a size in bytes nor -1");
    let swappy = Memory { swappiness: Some(101), ..Memory::default() };
    assert_eq!(error(&memory(swappy)), "memory.swappiness: 101 is not 0 to 100");
    let small = Memory { limit: Some(9), swap: Some(8), ..Memory::default() };
    assert!(error(&memory(small)).starts_with("memory.swap: 8 (memory and swap together)"));

    let cpus = |cpus: &str| Resources {
        cpu: Cpu { cpus: Some(cpus.into()), ..Cpu::default() },
        ..Resources::default()
    };
    for wrong in ["x", "0-", "3-1", "0,,1", "+1", "0\n1", "-1"] {
        assert!(error(&cpus(wrong)).starts_with("cpu.cpus: "), "{wrong:?}");
    }
    for size in ["", "MB", "2", "2TB", "2MBMB", "../2MB", "2 MB"] {
        let huge_pages = vec![HugePages { page_size: size.into(), limit: 1 }];
        let found = error(&Resources { huge_pages, ..Resources::default() });
        assert!(found.starts_with("hugepageLimits[0].pageSize: "), "{size:?}: {found}");
    }
    let network = Network { class_id: None, priorities: vec![("a b".into(), 1)] };
    let found = error(&Resources { network, ..Resources::default() });
    assert!(found.starts_with("network.priorities: "), "{found}");
    let block_io = BlockIo { weight: Some(5), ..BlockIo::default() };
    let found = error(&Resources { block_io, ..Resources::default() });
    assert_eq!(found, "blockIO.weight: 5 is not 10 to 1000");
}
