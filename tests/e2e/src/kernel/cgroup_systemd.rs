//! Groups that systemd makes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use kernel::cgroup::{Bus, Cgroups, Cpu, Driver, Group, Memory, Resources};

use super::cgroup::{run, start};
use super::systemd::{Systemd, control, missing, property};
use crate::expect_eq;
use crate::support::until;

const UNIT: &str = "tinyo-one.scope";

/// Makes the group of the unit above.
fn create(bus: &Bus, resources: Resources) -> Result<Box<dyn Group>> {
    let cgroups = Cgroups::find(&Driver::Systemd(bus.clone()), false)?;
    let mut location = cgroups.locate(Some("e2e-trial.slice:tinyo:one"), "unused")?;
    location.set_unit_property("TimeoutStopSec", "7")?;
    Ok(cgroups.prepare(&location, resources)?.create()?)
}

fn folder(group: &dyn Group) -> Result<PathBuf> {
    Ok(group.description().v2.context("a v2 group")?.into())
}

pub(crate) fn with_systemd(body: impl FnOnce() -> Result<()>) -> Result<()> {
    match missing() {
        Some(program) => harness::skip(format!("no {program}")),
        None => Systemd::boot()?.inside(body),
    }
}

/// What happens to any scope, whichever way systemd is reached.
fn life(bus: &Bus) -> Result<()> {
    let group = create(bus, Resources::default())?;
    let folder = folder(&*group)?;
    let place = "/sys/fs/cgroup/e2e.slice/e2e-trial.slice/tinyo-one.scope";
    expect_eq!(folder.to_str(), Some(place), "folder");
    expect_eq!(group.pids()?, [0; 0], "processes of a group that was just made");
    expect_eq!(property(UNIT, "Delegate")?, "yes", "Delegate");
    expect_eq!(property(UNIT, "TimeoutStopUSec")?, "7s", "a property of the user");

    let taken = create(bus, Resources::default()).err().context("made twice")?.to_string();
    ensure!(taken.contains("org.freedesktop.systemd1.UnitExists"), "{taken}");

    let pid = start(&group.entry()?, || {})?.as_raw_nonzero().get();
    group.first_process_entered()?;
    let again = group.description().open();
    expect_eq!(again.pids()?, [pid], "processes");
    expect_eq!(property(UNIT, "ActiveState")?, "active", "with the container's process alone");

    again.freeze()?;
    again.remove()?;
    ensure!(!folder.exists(), "the folder is left");
    expect_eq!(property(UNIT, "LoadState")?, "not-found", "afterwards");
    again.remove()?;
    // The name is free again at once.
    create(bus, Resources::default())?.remove()?;
    Ok(())
}

pub(crate) fn a_scope_lives_and_ends_with_its_container() -> Result<()> {
    with_systemd(|| life(&Bus::System))
}

pub(crate) fn a_scope_is_made_through_a_message_bus() -> Result<()> {
    with_systemd(|| {
        let write = |file: &str, text: String| std::fs::write(format!("/run/{file}"), text);
        let listen = "<listen>unix:path=/run/e2e-bus</listen>";
        let policy = "<allow own='*'/><allow send_destination='*'/><allow receive_sender='*'/>";
        write(
            "bus.conf",
            format!(
                "<busconfig>{listen}<auth>EXTERNAL</auth>\
                 <policy context='default'>{policy}</policy></busconfig>"
            ),
        )?;
        // systemd goes to the bus when units of these names say that there is one.
        let unit = "[Unit]\nDefaultDependencies=no\n";
        let socket = "[Socket]\nListenStream=/run/dbus/system_bus_socket\n";
        let program = "/usr/bin/dbus-daemon --nofork --nopidfile --address=systemd:";
        let service = format!("[Service]\nExecStart={program} --config-file=/run/bus.conf\n");
        write("systemd/system/dbus.socket", format!("{unit}{socket}"))?;
        write("systemd/system/dbus.service", format!("{unit}{service}"))?;
        control(&["start", "dbus.socket", "dbus.service"])?;
        let bus = Bus::User {
            runtime_folder: "/run/nothing".to_owned(),
            address: Some("unix:path=/run/dbus/system_bus_socket".to_owned()),
        };
        let reached = || Cgroups::find(&Driver::Systemd(bus.clone()), false).is_ok();
        until("systemd is on the bus", reached)?;
        life(&bus)
    })
}

pub(crate) fn a_scope_goes_when_its_maker_dies_before_the_container_came() -> Result<()> {
    with_systemd(|| {
        let code = run(&Default::default(), || match create(&Bus::System, Resources::default()) {
            // Without any goodbye, as after SIGKILL.
            Ok(_group) => sys::process::exit_now(0),
            Err(error) => {
                println!("{error:#}");
                1
            }
        })?;
        expect_eq!(code, 0, "exit code");
        until("the scope is gone", || {
            property(UNIT, "LoadState").is_ok_and(|state| state == "not-found")
        })
    })
}

pub(crate) fn limits_survive_that_systemd_reloads() -> Result<()> {
    if !super::cgroup::is_v2_alone() {
        return harness::skip("cgroup v2 has no memory controller here");
    }
    with_systemd(|| {
        let group = create(
            &Bus::System,
            Resources {
                memory: Memory { limit: Some(64 << 20), swap: Some(64 << 20), ..Memory::default() },
                cpu: Cpu {
                    shares: Some(512),
                    quota: Some(5000),
                    period: Some(20_000),
                    ..Cpu::default()
                },
                pids: Some(1),
                ..Resources::default()
            },
        )?;
        let folder = folder(&*group)?;
        let files = ["memory.max", "memory.swap.max", "cpu.weight", "cpu.max", "pids.max"];
        let read = || -> Result<Vec<String>> {
            let read = |file| Ok(std::fs::read_to_string(folder.join(file))?.trim_end().to_owned());
            files.into_iter().map(read).collect()
        };
        // One process may be in it, and that is not the placeholder.
        start(&group.entry()?, || {})?;
        group.first_process_entered()?;
        let again = group.description().open();
        control(&["daemon-reload"])?;
        expect_eq!(read()?, ["67108864", "0", "59", "5000 20000", "1"], "after a reload");

        let memory = Memory { limit: Some(32 << 20), ..Memory::default() };
        again.update(&Resources { memory, pids: Some(9), ..Resources::default() })?;
        control(&["daemon-reload"])?;
        expect_eq!(read()?, ["33554432", "33554432", "59", "5000 20000", "9"], "after an update");
        again.remove()?;
        Ok(())
    })
}
