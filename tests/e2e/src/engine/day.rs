//! A day with what Docker's and Podman's users type, where they stumbled.

use anyhow::{Result, ensure};
use serde_json::{Value, json as value};

use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::{scratch, until};

/// Whoever says nothing about groups is in those of the files, and always in his own.
pub(crate) fn groups() -> Result<()> {
    let engine = Engine::new()?;
    let files = "echo 'joe:x:1000:1000::/:/bin/sh' >> /etc/passwd; \
                 printf 'root:x:0:\\njoe:x:1000:\\nwheel:x:10:root,joe\\ntape:x:26:\\n' > /etc/group";
    engine.start("maker", &[], files)?;
    engine.ok(&["wait", "maker"])?;
    engine.ok(&["commit", "maker", "named"])?;
    let groups = |flags: &[&str]| -> Result<Vec<u32>> {
        let words = [&["run", "--rm"], flags, &["named", "sh", "-c"]].concat();
        let script = "grep Groups: /proc/self/status";
        let text = engine.ok(&[&words[..], &[script]].concat())?;
        Ok(text.split_whitespace().filter_map(|word| word.parse().ok()).collect())
    };
    for (flags, expected) in [
        (&[][..], &[0, 10][..]),
        (&["-u", "joe"], &[10, 1000]),
        (&["-u", "joe:tape"], &[26]),
        (&["-u", ":7"], &[7]),
        (&["--group-add", "tape", "--group-add", "99"], &[0, 10, 26, 99]),
        (&["-u", "joe", "--group-add", "tape"], &[10, 26, 1000]),
    ] {
        expect_eq!(groups(flags)?, expected, "{flags:?}");
    }
    engine.ok(&["rm", "maker"])?;
    engine.is_clean()
}

/// What it is called, in its own network, the machine's, and another container's.
pub(crate) fn host_names() -> Result<()> {
    let engine = Engine::new()?;
    let name = engine.shell(&["-h", "foo", "--domainname", "bar.org"], "hostname -f")?;
    expect_eq!(name, "foo.bar.org");
    let hosts = engine.shell(&["-h", "foo.bar", "--name", "it"], "cat /etc/hosts")?;
    ensure!(hosts.contains("\tfoo.bar foo it\n"), "{hosts}");
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    for flags in [&["--network", "host"][..], &["--uts", "host"]] {
        let said = engine.shell(flags, "hostname; echo $HOSTNAME")?;
        expect_eq!(said, format!("{0}\n{0}", machine.trim()), "{flags:?}");
    }
    expect_eq!(engine.shell(&["--network", "host", "-h", "own"], "hostname")?, "own");
    let hosts = engine.shell(&["--network", "host"], "cat /etc/hosts")?;
    expect_eq!(hosts.trim(), std::fs::read_to_string("/etc/hosts")?.trim());
    engine.start("first", &["-h", "called"], "exec sleep 100")?;
    let shared = ["--network", "container:first"];
    expect_eq!(engine.shell(&shared, "hostname; echo $HOSTNAME")?, "called\ncalled");
    for flags in [["--uts", "host"], ["--uts", "container:first"], shared] {
        let words = [&["run", "--rm", "-h", "x"], &flags[..], &["box", "true"]].concat();
        engine.fails(&words, 125, "--hostname: not together with")?;
    }
    engine.ok(&["rm", "-f", "/first"])?;
    engine.is_clean()
}

/// What is said is what is mounted.
pub(crate) fn mounts_as_they_are_said() -> Result<()> {
    let engine = Engine::new()?;
    let options = |tmpfs: &str| {
        engine.shell(&["--tmpfs", tmpfs], "grep ' /t ' /proc/mounts").map(|line| {
            let line = line.split(' ').nth(3).unwrap_or_default().to_owned();
            ["nosuid", "nodev", "noexec"].map(|it| line.split(',').any(|option| option == it))
        })
    };
    expect_eq!(options("/t")?, [true, true, true]);
    expect_eq!(options("/t:exec,suid,dev")?, [false, false, false]);
    // A container that cannot be changed cannot change who is called what either.
    let refused = engine.shell(&["--read-only"], "echo x > /etc/hosts || echo refused")?;
    expect_eq!(refused, "refused");
    // All devices of a folder.
    let found = engine.shell(&["--device", "/dev/net"], "stat -c %F /dev/net/tun")?;
    expect_eq!(found, "character special file");
    engine.fails(&["run", "--rm", "--device", "/etc", "box", "true"], 125, "is no device")?;
    engine.is_clean()
}

/// Links are followed, and what is mounted in a container that does not run is reached, too.
pub(crate) fn copies() -> Result<()> {
    let engine = Engine::new()?;
    let here = scratch("here");
    std::fs::create_dir_all(&here)?;
    let path = |name: &str| here.join(name).to_string_lossy().into_owned();
    std::fs::write(path("h"), "hi\n")?;
    std::os::unix::fs::symlink("h", path("l"))?;
    let bind = format!("{}:/bind", path(""));
    let script = "mkdir -p /d/sub; echo 1 > /d/f; ln -s f /d/l; ln -s /d/sub /dl; sleep 100";
    engine.start("one", &["-v", "kept:/vol", "-v", &bind], script)?;
    until("it is ready", || {
        engine.run(&["exec", "one", "test", "-e", "/dl"]).is_ok_and(|it| it.code == Some(0))
    })?;
    engine.ok(&["cp", "-L", "one:/d/l", &path("file")])?;
    expect_eq!(std::fs::read_to_string(path("file"))?, "1\n");
    // What it leads to is written, and the link stays; so do its name and that of a link here.
    engine.ok(&["cp", &path("h"), "one:/d/l"])?;
    engine.ok(&["cp", &path("h"), "one:/dl"])?;
    engine.ok(&["cp", "-L", &path("l"), "one:/d/sub"])?;
    let look = "stat -c %F /d/l; cat /d/f /d/sub/h /d/sub/l";
    expect_eq!(engine.ok(&["exec", "one", "sh", "-c", look])?, "symbolic link\nhi\nhi\nhi");
    let mut command = engine.command(&["cp", "-", "one:/none"]);
    let done = super::support::end_of(command.stdin(std::fs::File::open(path("h"))?))?;
    ensure!(done.code == Some(1) && done.stderr.contains("no such folder"), "{done:#?}");
    engine.ok(&["stop", "-t", "0", "one"])?;
    engine.ok(&["cp", &path("h"), "one:/vol/stopped"])?;
    engine.ok(&["cp", "one:/vol/stopped", &path("back")])?;
    expect_eq!(std::fs::read_to_string(path("back"))?, "hi\n");
    engine.ok(&["cp", &path("h"), "one:/bind/new"])?;
    expect_eq!(std::fs::read_to_string(path("new"))?, "hi\n");
    expect_eq!(engine.shell(&["-v", "kept:/v"], "cat /v/stopped")?, "hi");
    let flags = ["--read-only", "--tmpfs", "/t", "-v", "kept:/vol:ro"];
    engine.ok(&[&["create", "--name", "two"], &flags[..], &["box", "true"]].concat())?;
    for (to, why) in [
        ("two:/x", "the container is read-only"),
        ("two:/vol/x", "what is mounted there is read-only"),
        ("two:/t/x", "only while the container runs"),
    ] {
        engine.fails(&["cp", &path("h"), to], 1, why)?;
    }
    engine.ok(&["rm", "-v", "one", "two"])?;
    engine.is_clean()
}

/// All of these fields have these values.
fn has(found: &Value, expected: &Value) -> Result<()> {
    for (pointer, value) in expected.as_object().into_iter().flatten() {
        let is = found.pointer(pointer);
        ensure!(is == Some(value), "{pointer} is {is:?}, not {value}");
    }
    Ok(())
}

/// The fields that programs look for in what Docker says of a container.
pub(crate) fn inspected_containers() -> Result<()> {
    let engine = Engine::new()?;
    let flags = "-p 127.0.0.1:18080:80 -p 53/udp --expose 99 -v data:/data:ro -v /tmp:/host:rslave \
                 -v /nameless --tmpfs /t:size=1m --security-opt no-new-privileges \
                 --health-cmd true -m 64m";
    let flags: Vec<&str> = flags.split_whitespace().collect();
    engine.start("one", &flags, "exec sleep 100")?;
    let found = json(&engine.ok(&["inspect", "-f", "{{json .}}", "one"])?)?;
    has(
        &found,
        &value!({
            "/Driver": "overlay",
            "/Platform": "linux",
            "/HostConfig/Binds": ["data:/data:ro", "/tmp:/host:rslave"],
            "/HostConfig/Tmpfs": {"/t": "size=1m"},
            "/HostConfig/Mounts": [],
            "/HostConfig/PortBindings": {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}],
                "53/udp": [{"HostIp": "", "HostPort": ""}],
            },
            "/HostConfig/PublishAllPorts": false,
            "/HostConfig/SecurityOpt": ["no-new-privileges=true"],
            "/HostConfig/VolumesFrom": null,
            "/HostConfig/ShmSize": 64 << 20,
            "/HostConfig/IpcMode": "private",
            "/HostConfig/CgroupnsMode": "private",
            "/HostConfig/MemorySwappiness": null,
            "/HostConfig/BlkioDeviceReadBps": [],
            "/HostConfig/BlkioDeviceWriteIOps": [],
            "/Config/ExposedPorts/99~1tcp": {},
            "/Config/Volumes": {"/nameless": {}},
            "/Config/Healthcheck/Test": ["CMD-SHELL", "true"],
            "/State/Health/Log": [],
            "/NetworkSettings/Ports/99~1tcp": null,
            "/NetworkSettings/IPPrefixLen": 20,
            "/Config/ExposedPorts/80~1tcp": {},
            "/HostConfig/MemorySwap": 128 << 20,
            "/HostConfig/Runtime": "tinyo",
            "/State/CgroupPath": format!("/tinyo/{}", found["Id"].as_str().unwrap_or_default()),
            "/NetworkSettings/Networks/bridge/IPAMConfig": null,
        }),
    )?;
    // What scripts enter, and look into.
    let key = found["NetworkSettings"]["SandboxKey"].as_str().unwrap_or_default();
    ensure!(std::fs::read_link(key)?.to_string_lossy().starts_with("net:"), "{key}");
    let files = found["GraphDriver"]["Data"]["MergedDir"].as_str().unwrap_or_default();
    ensure!(std::path::Path::new(files).join("bin/sh").exists(), "{files}");
    for name in ["BoundingCaps", "EffectiveCaps"] {
        let names = found[name].as_array();
        ensure!(names.is_some_and(|it| it.len() == 11), "{name}: {names:?}");
    }
    // A folder in memory comes from nowhere.
    expect_eq!(engine.field("one", "Mounts")?.split(',').filter(|it| it.is_empty()).count(), 0);
    for path in ["Masked", "Readonly"] {
        let all = found["HostConfig"][format!("{path}Paths")].as_array();
        ensure!(all.is_some_and(|all| all.len() > 4), "{path}: {all:?}");
    }
    for (name, text) in
        [("Hostname", &found["Id"].as_str().unwrap_or_default()[..12]), ("Hosts", "localhost")]
    {
        let path = found[format!("{name}Path")].as_str().unwrap_or_default().to_owned();
        ensure!(std::fs::read_to_string(&path)?.contains(text), "{path}");
    }
    has_mounts(&found)?;
    let network = &found["NetworkSettings"];
    for name in ["EndpointID", "MacAddress", "Gateway", "GlobalIPv6PrefixLen"] {
        let inner = &network["Networks"]["bridge"][name];
        ensure!(!inner.is_null() && network[name] == *inner, "{name}: {network}");
    }
    ensure!(found.get("SizeRw").is_none(), "{found}");
    let sizes = engine.ok(&["inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "one"])?;
    let (own, all) = sizes.split_once(' ').unwrap_or_default();
    ensure!(own.parse::<u64>()? + 100_000 < all.parse()?, "{sizes}");
    engine.ok(&["create", "--name", "two", "--network", "host", "box", "true"])?;
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Config.Hostname}}", "two"])?, machine.trim());
    engine.ok(&["rm", "-f", "-v", "one", "two"])?;
    engine.is_clean()
}

/// How they are mounted, and where.
fn has_mounts(found: &Value) -> Result<()> {
    let mounts = found["Mounts"].as_array().cloned().unwrap_or_default();
    let at = |place: &str| mounts.iter().find(|it| it["Destination"] == place);
    has(
        at("/data").unwrap_or(&Value::Null),
        &value!({"/Driver": "local", "/Mode": "ro", "/Propagation": ""}),
    )?;
    has(at("/host").unwrap_or(&Value::Null), &value!({"/Mode": "rslave", "/Propagation": "rslave"}))
}

/// What is always there is listed as with Docker, and stays.
pub(crate) fn listed_networks() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "zoo"])?;
    let format = "{{.Name}} {{.Driver}} {{.Scope}}";
    expect_eq!(
        engine.ok(&["network", "ls", "--format", format])?,
        "bridge bridge local\nhost host local\nnone null local\nzoo bridge local"
    );
    ensure!(engine.ok(&["network", "ls"])?.contains("SCOPE"), "no SCOPE");
    expect_eq!(engine.ok(&["network", "ls", "-f", "type=custom", "--format={{.Name}}"])?, "zoo");
    expect_eq!(engine.ok(&["network", "ls", "-f", "dangling=1", "--format={{.Name}}"])?, "zoo");
    for id in engine.ok(&["network", "ls", "-q"])?.lines().take(3) {
        engine.fails(&["network", "rm", id], 1, "is always there")?;
        engine.ok(&["network", "inspect", id])?;
    }
    engine.fails(&["network", "rm", "-f", "bridge"], 1, "bridge is always there")?;
    expect_eq!(engine.ok(&["network", "inspect", "-f", "{{.Driver}}", "none"])?, "null");
    expect_eq!(engine.ok(&["network", "prune", "-f"])?, "zoo");
    engine.is_clean()
}

/// Options and fields of networks under Docker's names.
pub(crate) fn inspected_networks() -> Result<()> {
    let engine = Engine::new()?;
    let name = |name: &str| format!("com.docker.network.bridge.name={name}");
    let mtu = "com.docker.network.driver.mtu=1400";
    engine.ok(&["network", "create", "-o", &name("tinyo-own"), "-o", mtu, "own"])?;
    for (wrong, why) in [
        ("br0", "must begin with tinyo-"),
        ("tinyo-", "must begin with tinyo-"),
        ("tinyo-x/y", "must begin with tinyo-"),
        ("tinyo-much-too-long", "must begin with tinyo-"),
        ("tinyo-own", "such a device already"),
    ] {
        engine.fails(&["network", "create", "-o", &name(wrong), "other"], 1, why)?;
    }
    let id = engine.start("one", &["--network", "own"], "exec sleep 100")?;
    let device = engine.ok(&["exec", "one", "cat", "/sys/class/net/eth0/mtu"])?;
    expect_eq!(device, "1400");
    let found = json(&engine.ok(&["network", "inspect", "-f", "{{json .}}", "own"])?)?;
    expect_eq!(found["Options"]["com.docker.network.bridge.name"], "tinyo-own");
    let settings =
        engine.ok(&["inspect", "-f", "{{json .NetworkSettings.Networks.own}}", "one"])?;
    let (settings, there) = (json(&settings)?, &found["Containers"][&id]);
    for field in ["EndpointID", "MacAddress"] {
        ensure!(there[field].is_string() && there[field] == settings[field], "{field}: {found}");
    }
    let address = settings["IPAddress"].as_str().unwrap_or_default();
    expect_eq!(there["IPv4Address"], format!("{address}/20"));
    let force = |container: &str| engine.ok(&["network", "disconnect", "-f", "own", container]);
    for container in ["one", "one", "nobody"] {
        force(container)?;
    }
    engine.fails(&["network", "disconnect", "own", "one"], 1, "not connected")?;
    engine.ok(&["rm", "-f", "one"])?;
    engine.ok(&["network", "rm", "own"])?;
    engine.is_clean()
}

/// What programs ask about the machine before they begin.
pub(crate) fn the_machine() -> Result<()> {
    let engine = Engine::new()?;
    let info = json(&engine.ok(&["info", "-f", "{{json .}}"])?)?;
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    has(
        &info,
        &value!({
            "/Name": machine.trim(),
            "/Architecture": "x86_64",
            "/CgroupDriver": "cgroupfs",
            "/Driver": "overlay",
            "/DockerRootDir": engine.store,
            "/Containers": 0,
            "/Images": 1,
        }),
    )?;
    ensure!(info["MemTotal"].as_u64().is_some_and(|bytes| bytes > 1 << 26), "{info}");
    ensure!(info["OperatingSystem"].as_str().is_some_and(|it| !it.is_empty()), "{info}");
    ensure!(info["SecurityOptions"].as_array().is_some_and(|it| it.len() > 1), "{info}");
    ensure!(engine.ok(&["info"])?.contains("MemTotal: "), "no memory");
    let version = json(&engine.ok(&["version", "-f", "{{json .}}"])?)?;
    for side in ["Client", "Server"] {
        let format = format!("{{{{.{side}.Version}}}}");
        expect_eq!(version[side]["Version"], engine.ok(&["version", "-f", &format])?);
    }
    engine.is_clean()
}
