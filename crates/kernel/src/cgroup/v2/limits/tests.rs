use super::super::super::resources::{Cpu, Memory, Resources};
use super::super::super::write::Controller;
use super::{Current, of, unified, weight_of_shares};

fn lines(controller: Controller, resources: &Resources, current: &Current) -> Vec<String> {
    let writes = of(controller, resources, current).unwrap();
    writes.iter().map(|write| format!("{} {}", write.file, write.value)).collect()
}

#[test]
fn shares_keep_their_order_and_meet_the_default() {
    assert_eq!(weight_of_shares(0), None);
    let weights: Vec<_> =
        [1, 2, 3, 512, 1024, 2048, 10_240, 262_144, 1 << 40].map(weight_of_shares).into();
    let expected = [1, 1, 2, 59, 100, 174, 639, 10_000, 10_000].map(Some);
    assert_eq!(weights, expected);
}

#[test]
fn one_file_takes_quota_and_period() {
    let cpu = |quota, period| Resources {
        cpu: Cpu { quota, period, ..Cpu::default() },
        ..Resources::default()
    };
    let new = Current::default();
    let old = Current { cpu_max: Some(("7000".into(), "20000".into())), ..Current::default() };
    let line = |resources: &Resources, current| lines(Controller::Cpu, resources, current);
    assert_eq!(line(&cpu(Some(5000), Some(10_000)), &old), ["cpu.max 5000 10000"]);
    assert_eq!(line(&cpu(Some(5000), None), &new), ["cpu.max 5000 100000"]);
    assert_eq!(line(&cpu(Some(5000), None), &old), ["cpu.max 5000 20000"]);
    assert_eq!(line(&cpu(None, Some(30_000)), &old), ["cpu.max 7000 30000"]);
    assert_eq!(line(&cpu(Some(-1), None), &old), ["cpu.max max 20000"]);
    assert_eq!(line(&cpu(Some(0), Some(0)), &old), [""; 0]);
}

#[test]
fn swap_is_the_total_without_the_memory() {
    let memory = |limit, swap| Resources {
        memory: Memory { limit, swap, ..Memory::default() },
        ..Resources::default()
    };
    let new = Current::default();
    let old = Current { memory: Some(100), swap: Some(50), ..Current::default() };
    let line = |resources: &Resources, current| lines(Controller::Memory, resources, current);
    assert_eq!(
        line(&memory(Some(100), Some(300)), &new),
        ["memory.max 100", "memory.swap.max 200"]
    );
    assert_eq!(line(&memory(Some(100), Some(100)), &new), ["memory.max 100", "memory.swap.max 0"]);
    assert_eq!(line(&memory(Some(100), Some(-1)), &new), ["memory.max 100", "memory.swap.max max"]);
    assert_eq!(line(&memory(Some(-1), None), &new), ["memory.max max", "memory.swap.max max"]);
    assert_eq!(line(&memory(Some(100), None), &new), ["memory.max 100"]);
    // An update of one of them leaves the total, or the memory, as it is.
    assert_eq!(line(&memory(Some(120), None), &old), ["memory.max 120", "memory.swap.max 30"]);
    assert_eq!(line(&memory(None, Some(400)), &old), ["memory.swap.max 300"]);
    for wrong in [memory(Some(100), Some(99)), memory(None, Some(100)), memory(Some(-1), Some(5))] {
        assert!(of(Controller::Memory, &wrong, &new).is_err(), "{wrong:?}");
    }
    assert!(of(Controller::Memory, &memory(Some(151), None), &old).is_err());
}

#[test]
fn what_only_v1_has_is_an_error_that_names_the_field() {
    let memory = |memory| Resources { memory, ..Resources::default() };
    let swappiness = memory(Memory { swappiness: Some(60), ..Memory::default() });
    let killer = memory(Memory { disable_oom_killer: Some(true), ..Memory::default() });
    for (resources, field) in [(swappiness, "swappiness"), (killer, "disableOOMKiller")] {
        let error = of(Controller::Memory, &resources, &Current::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("memory.{field}: cgroup v2 has no such limit"));
    }
}

#[test]
fn files_of_the_user_stay_in_the_folder() {
    let one = |file: &str| unified(&[(file.to_owned(), "1".to_owned())]);
    assert_eq!(one("memory.high").unwrap()[0].file, "memory.high");
    for file in ["../x.y", "a/b.c", "..", "", "memory", ".x"] {
        assert!(one(file).is_err(), "{file:?}");
    }
}
