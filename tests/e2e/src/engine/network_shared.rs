//! Networks whose containers share a device of the machine, and which addresses they have. The trial's
//! namespace plays the machine, another one its network.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{
    ECHO, MISSING, ask, ask_by_tcp, ask_in_vain, has_programs, other_machine, python, run,
};
use crate::support::until;

fn both(text: &str) -> String {
    format!("{text}\n{text}\n")
}

pub(super) fn macvlan() -> Result<()> {
    of_driver("macvlan", "mode=bridge")
}

pub(super) fn ipvlan() -> Result<()> {
    of_driver("ipvlan", "ipvlan_mode=l2")
}

fn of_driver(driver: &str, mode: &str) -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    if run(&format!("ip link add link out name try0 type {driver}")).is_err() {
        return harness::skip(format!("this kernel has no {driver}"));
    }
    run("ip link del try0")?;
    let create = ["network", "create", "-d", driver, "-o", "parent=out", "-o", mode];
    let ranges = ["--subnet=192.0.2.0/24", "--gateway=192.0.2.2", "--ip-range=192.0.2.64/30"];
    let more = ["--aux-address=printer=192.0.2.64", "lan"];
    engine.ok(&[&create[..], &ranges, &more].concat())?;
    let serve = ["run", "-d", "--name", "web", "--network", "lan", "host:", "python3", "-uc", ECHO];
    engine.ok(&serve)?;
    until("it serves", || engine.ok(&["logs", "web"]).is_ok_and(|text| text == "ready"))?;
    // It is a machine among others, but not reached by the one whose device it shares.
    expect_eq!(other.python(&ask("192.0.2.65", 80))?, both("192.0.2.2"));
    expect_eq!(python(&ask_in_vain("192.0.2.65", 80))?, both("None"));
    let way = engine.ok(&["exec", "web", "ip", "route", "show", "default"])?;
    ensure!(way.starts_with("default via 192.0.2.2 dev eth0"), "{way}");
    let within = |words: &[&str]| {
        engine.ok(&[&["run", "--rm", "--network", "lan", "host:"], words].concat())
    };
    expect_eq!(within(&["dig", "+short", "web"])?, "192.0.2.65");
    expect_eq!(within(&["python3", "-c", &ask("web", 80)])? + "\n", both("192.0.2.67"));
    engine.ok(&["restart", "-t", "0", "web"])?;
    until("it is reached again", || {
        other.python(&ask_in_vain("192.0.2.65", 80)).is_ok_and(|it| it == both("192.0.2.2"))
    })?;
    // While it runs.
    engine
        .ok(&["run", "-d", "--name", "late", "-p", "8080:80", "host:", "python3", "-uc", ECHO])?;
    until("it serves", || engine.ok(&["logs", "late"]).is_ok_and(|text| text == "ready"))?;
    engine.ok(&["network", "connect", "--ip", "192.0.2.99", "lan", "late"])?;
    expect_eq!(other.python(&ask("192.0.2.99", 80))?, both("192.0.2.2"));
    ensure!(
        python(&ask_by_tcp("127.0.0.1", 8080))?.starts_with("10.200.0.1\n"),
        "no published port"
    );
    engine.ok(&["network", "disconnect", "lan", "late"])?;
    ensure!(!engine.ok(&["exec", "late", "ip", "link"])?.contains("eth1"), "the device is left");
    ensure!(
        python(&ask_by_tcp("127.0.0.1", 8080))?.starts_with("10.200.0.1\n"),
        "no published port"
    );
    // Only what may be chosen is chosen.
    engine.ok(&["create", "--network", "lan", "box", "true"])?;
    engine.ok(&["create", "--network", "lan", "box", "true"])?;
    for (flags, expected) in [
        (&["--network", "lan"][..], "all addresses of 192.0.2.64/30 are in use"),
        (&["--network", "lan:ip=192.0.2.64"], "192.0.2.64 is reserved for printer"),
        (&["--network", "lan:ip=192.0.2.2"], "the address 192.0.2.2 is in use"),
        (&["--network", "lan:ip=192.0.2.98", "-p", "80:80"], "an address of its own"),
    ] {
        engine.fails(&[&["run"], flags, &["box", "true"]].concat(), 125, expected)?;
    }
    expect_eq!(engine.ok(&["network", "ls", "-f", &format!("driver={driver}"), "-q"])?.len(), 12);
    let field = |field: &str| engine.ok(&["network", "inspect", "-f", field, "lan"]);
    expect_eq!(field("{{.Driver}} {{.Options.parent}}")?, format!("{driver} out"));
    expect_eq!(field("{{(index .IPAM.Config 0).IPRange}}")?, "192.0.2.64/30");
    engine.ok(&["system", "check"])?;
    engine.ok(&["rm", "-f", "-a"])?;
    engine.ok(&["network", "rm", "lan"])?;
    ensure!(!run("ip -o link")?.contains("eth0@"), "a device is left");
    engine.is_clean()
}

pub(super) fn what_is_wrong_is_said() -> Result<()> {
    let engine = Engine::new()?;
    let subnet = "--subnet=10.9.0.0/24";
    for (words, expected) in [
        (&["-d", "overlay"][..], "only bridge, macvlan and ipvlan"),
        (&["-d", "macvlan", subnet], "name the device of the machine that is shared"),
        (&["-d", "macvlan", "-o", "parent=lo"], "say with --subnet"),
        (&["-d", "macvlan", "-o", "parent=none0", subnet], "the machine has no such device"),
        (&["-d", "macvlan", "-o", "parent=lo", "-o", "mode=l2", subnet], "one of bridge, private"),
        (&["-o", "parent=lo"], "are for --driver macvlan and ipvlan"),
        (&["-o", "color=red"], "there is no such option"),
        (&["--ip-range", "10.9.0.0/25"], "is in no subnet that --subnet names"),
        (&["--ip-range", "10.9.1.0/25", subnet], "is in no subnet that --subnet names"),
        (&["--ip-range", "10.9.0.1/25", subnet], "the bits behind the prefix must be 0"),
        (&["--aux-address", "a=10.9.1.1", subnet], "is in no subnet that --subnet names"),
        (&["--aux-address", "10.9.0.1", subnet], "NAME=ADDRESS is wanted"),
        (&["--gateway=10.9.0.9", "--gateway=10.9.0.8", subnet], "has 10.9.0.9 already"),
    ] {
        let words = [&["network", "create"], words, &["net1"]].concat();
        let done = engine.run(&words)?;
        ensure!(done.code != Some(0) && done.stderr.contains(expected), "{words:?}: {done:#?}");
    }
    expect_eq!(engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"])?, "bridge");
    // Addresses of a bridge, of both kinds.
    let words = ["network", "create", subnet, "--ip-range=10.9.0.128/31", "--gateway=10.9.0.254"];
    let more =
        ["--subnet=fd09::/64", "--ip-range=fd09::a0/126", "--aux-address=x=fd09::a0", "net1"];
    engine.ok(&[&words[..], &more].concat())?;
    for expected in ["10.9.0.128 fd09::a1", "10.9.0.129 fd09::a2"] {
        let id = engine.ok(&["create", "--network", "net1", "box", "true"])?;
        let format =
            "{{with .NetworkSettings.Networks.net1}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}";
        expect_eq!(engine.ok(&["inspect", "-f", format, &id])?, expected);
    }
    engine.fails(
        &["create", "--network", "net1", "box", "true"],
        125,
        "10.9.0.128/31 are in use",
    )?;
    Ok(())
}
