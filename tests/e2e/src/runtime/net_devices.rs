//! Network devices that containers get, in a network namespace of the trial's own.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::until;

fn ip(words: &str) -> Result<String> {
    let Ok(output) = Command::new("ip").args(words.split(' ')).output() else {
        return harness::skip("there is no `ip`").map(|()| String::new());
    };
    ensure!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A device `given77` with an address that is up, and its other end, `kept77`.
pub(super) fn machine() -> Result<()> {
    sys::process::unshare_namespaces((libc::CLONE_NEWNET | libc::CLONE_NEWNS) as u64)?;
    make()
}

fn make() -> Result<()> {
    ip("link add given77 type veth peer name kept77")?;
    ip("addr add 192.0.2.7/24 dev given77")?;
    ip("link set given77 up")?;
    Ok(())
}

/// The same once more, wherever the devices went with a container.
pub(super) fn machine_again() -> Result<()> {
    // The kernel takes them away some time after the namespace.
    until("the devices are here or gone", || {
        ip("link show dev given77").is_ok() == ip("link show dev kept77").is_ok()
    })?;
    // Without a word where they are gone.
    let _ = ip("link del given77");
    make()
}

/// Whether the device is whole, or was not given back.
pub(super) fn expect_whole_or_gone() -> Result<()> {
    if ip("link show dev given77").is_ok() { expect_given_back() } else { Ok(()) }
}

pub(super) fn expect_given_back() -> Result<()> {
    let shown = ip("addr show dev given77")?;
    ensure!(shown.contains("192.0.2.7/24") && shown.contains(",UP"), "{shown}");
    Ok(())
}

/// Where somebody else has the namespace, the container has no say in what becomes of them.
pub(crate) fn they_stay_in_a_namespace_of_somebody_else() -> Result<()> {
    machine()?;
    let pod = Container::new(Bundle::service()?)?;
    pod.start_service()?;
    let namespace = format!("/proc/{}/ns/net", pod.pid()?);
    let script =
        "ip -o addr show dev inside | awk '{ print $2, $4 }' | head -n 1; ls /sys/class/net";
    let bundle = Bundle::script(script)?
        .join("network", &namespace)
        .set("/linux/netDevices/given77", json!({ "name": "inside" }))
        .set("/linux/netDevices/kept77", json!({}));
    let said = Container::new(bundle)?.output()?;
    expect_eq!(said, "inside 192.0.2.7/24\ninside\nkept77\nlo\n");
    let next = Container::new(Bundle::service()?.join("network", &namespace))?;
    next.start_service()?;
    next.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    let said = pod.tell_with("exec", &[], &["ls", "/sys/class/net"])?;
    expect_eq!(said.stdout, "inside\nkept77\nlo\n");
    ensure!(ip("link show dev given77").is_err(), "it is on the machine");
    Ok(())
}

/// Those that exist nowhere else go with the namespace, as the kernel has it.
pub(crate) fn they_go_with_the_containers_own_namespace() -> Result<()> {
    machine()?;
    let bundle = Bundle::service()?.set("/linux/netDevices/given77", json!({ "name": "eth%d" }));
    let container = Container::new(bundle)?;
    container.start_service()?;
    ensure!(ip("link show dev given77").is_err(), "it is still on the machine");
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    ensure!(ip("link show dev given77").is_err(), "it was taken out of the namespace");
    Ok(())
}

pub(crate) fn they_are_given_back_when_create_fails() -> Result<()> {
    machine()?;
    for (place, value) in [
        ("/hooks/createRuntime", json!([{ "path": "/bin/false" }])),
        ("/process/args", json!(["/no/such/program"])),
        ("/linux/netDevices/missing77", json!({})),
    ] {
        let bundle = Bundle::script("true")?.set("/linux/netDevices/given77", json!({}));
        let container = Container::new(bundle.set(place, value))?;
        ensure!(container.launch_new("create", &[]).finish()?.code()? != 0, "{place}");
        expect_given_back().context(place)?;
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn hooks_find_them_in_the_container() -> Result<()> {
    machine()?;
    let script = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); \
        nsenter -t $pid -n ip addr add 192.0.2.77/24 dev given77";
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script],
        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] }]);
    let bundle = Bundle::script("ip -o addr show dev given77")?
        .set("/linux/netDevices/given77", json!({}))
        .set("/hooks/createRuntime", hook);
    let said = Container::new(bundle)?.output()?;
    ensure!(said.contains("192.0.2.77/24"), "{said}");
    Ok(())
}

pub(crate) fn what_cannot_be_moved_is_named() -> Result<()> {
    machine()?;
    let refused = |bundle: Bundle, text: &str| -> Result<()> {
        let container = Container::new(bundle)?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "it was moved: {text}");
        finished.expect_stderr(text)?;
        container.expect_gone()
    };
    let with = |name: &str, device| {
        Ok::<_, anyhow::Error>(
            Bundle::script("true")?.set(&format!("/linux/netDevices/{name}"), device),
        )
    };
    refused(with("missing77", json!({}))?, "there is no network device missing77")?;
    refused(with("given77", json!({ "name": "lo" }))?, "has a network device lo already")?;
    refused(with("given77", json!({ "name": "a b" }))?, "linux.netDevices.given77")?;
    let shared = with("given77", json!({}))?.without_namespace("network");
    refused(shared, "linux.netDevices.given77: there is no network namespace")?;
    expect_given_back()
}
