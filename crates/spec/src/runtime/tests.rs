use super::{
    ContainerProcessState, Features, IdMapping, Namespace, NamespaceKind, Process, Resources,
    SECCOMP_FD_NAME, Spec, State, Status, TEMPLATE, User, rootless_template,
};
use crate::json::{Map, parse, to_line, to_lines};

fn spec(text: &str) -> Result<Spec<'_>, String> {
    parse(text.as_bytes()).map_err(|error| error.to_string())
}

/// The error for a configuration with this text among its fields.
fn error(field: &str) -> String {
    let text = format!(r#"{{"ociVersion":"1.0.2","root":{{"path":"rootfs"}},{field}}}"#);
    spec(&text).expect_err(field)
}

#[test]
fn the_smallest_configuration() {
    let spec = spec(r#"{"ociVersion":"1.0.2-dev","root":{"path":"rootfs"}}"#).unwrap();
    assert_eq!(spec.root.path, "rootfs");
    assert_eq!(spec.process, None);
    assert_eq!(spec.linux, super::Linux::default());
}

#[test]
fn any_version_1_will_do() {
    for version in ["1.0.0", "1.3.0", "1.99.7", "1.0.0-rc5", "1.2.0+dev"] {
        spec(&format!(r#"{{"ociVersion":"{version}","root":{{"path":"r"}}}}"#)).unwrap();
    }
    for version in ["", "1", "1.0", "2.0.0", "0.9.0", "1.0.x", "1..0", "1.0.0.0", "11.0.0"] {
        let text = format!(r#"{{"ociVersion":"{version}","root":{{"path":"r"}}}}"#);
        let error = spec(&text).expect_err(version);
        assert!(error.starts_with("ociVersion: "), "{version}: {error}");
    }
}

#[test]
fn no_process_is_a_limit_since_1_3() {
    for (version, is_limit) in
        [("1.0.2-dev", false), ("1.2.1", false), ("1.3.0", true), ("1.10.0", true)]
    {
        let text = format!(r#"{{"ociVersion":"{version}","root":{{"path":"r"}}}}"#);
        assert_eq!(spec(&text).unwrap().has_pids_zero(), is_limit, "{version}");
    }
}

#[test]
fn wrong_values_are_named_by_their_path() {
    let process = |field: &str| {
        format!(r#""process":{{"cwd":"/","args":["a"],"user":{{"uid":0,"gid":0}},{field}}}"#)
    };
    let linux = |field: &str| format!(r#""linux":{{{field}}}"#);
    let resources = |field: &str| linux(&format!(r#""resources":{{{field}}}"#));
    let seccomp =
        |field: &str| linux(&format!(r#""seccomp":{{"defaultAction":"SCMP_ACT_ALLOW",{field}}}"#));
    let cases = [
        (r#""root":{}"#.to_owned(), "root.path: missing, but required"),
        (r#""root":{"path":""}"#.to_owned(), "root.path: empty"),
        (format!(r#""hostname":"{}""#, "h".repeat(65)), "hostname: "),
        (process(r#""cwd":"tmp""#), r#"process.cwd: "tmp" is not absolute"#),
        (process(r#""args":[]"#), "process.args: empty"),
        (process(r#""user":{"uid":-1}"#), "process.user.uid: expected a whole number from 0 to 4294967295, found -1"),
        (process(r#""user":{"umask":512}"#), "process.user.umask: 512 is not from 0 to 511"),
        (process(r#""oomScoreAdj":1001"#), "process.oomScoreAdj: 1001 is not from -1000 to 1000"),
        (process(r#""rlimits":[{"type":"A","hard":1,"soft":1},{"type":"A","hard":1,"soft":1}]"#), r#"process.rlimits[1].type: "A" is there twice"#),
        (process(r#""scheduler":{"policy":"SCHED_FAST"}"#), r#"process.scheduler.policy: "SCHED_FAST" is not one of SCHED_OTHER, "#),
        (process(r#""scheduler":{"policy":"SCHED_OTHER","nice":20}"#), "process.scheduler.nice: 20 is not from -20 to 19"),
        (process(r#""ioPriority":{"class":"IOPRIO_CLASS_BE","priority":8}"#), "process.ioPriority.priority: 8 is not from 0 to 7"),
        (process(r#""consoleSize":{"height":65536}"#), "process.consoleSize.height: "),
        (r#""mounts":[{"type":"proc"}]"#.to_owned(), "mounts[0].destination: missing, but required"),
        (r#""mounts":[{"destination":"/a","uidMappings":[{"containerID":0,"hostID":0,"size":1}]}]"#.to_owned(), "mounts[0].gidMappings: missing beside uidMappings"),
        (r#""hooks":{"poststop":[{"path":"bin/x"}]}"#.to_owned(), r#"hooks.poststop[0].path: "bin/x" is not absolute"#),
        (r#""hooks":{"prestart":[{"path":"/x","timeout":0}]}"#.to_owned(), "hooks.prestart[0].timeout: 0 is not more than 0 seconds"),
        (linux(r#""namespaces":[{"type":"net"}]"#), r#"linux.namespaces[0].type: "net" is not one of cgroup, ipc, mount, network, pid, time, user, uts"#),
        (linux(r#""namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"pid"}]"#), "linux.namespaces[2].type: pid is there twice"),
        (linux(r#""uidMappings":[{"containerID":0,"hostID":1,"size":4294967295}]"#), "linux.uidMappings[0].size: 4294967295 does not fit"),
        (linux(r#""uidMappings":[{"containerID":0,"hostID":1,"size":0}]"#), "linux.uidMappings[0].size: 0 does not fit"),
        (linux(r#""timeOffsets":{"realtime":{"secs":1}}"#), r#"linux.timeOffsets: "realtime" is neither"#),
        (linux(r#""timeOffsets":{"boottime":{"nanosecs":1000000000}}"#), "linux.timeOffsets.boottime.nanosecs: 1000000000 is not from 0 to 999999999"),
        (linux(r#""devices":[{"path":"dev/x","type":"c"}]"#), r#"linux.devices[0].path: "dev/x" is not absolute"#),
        (linux(r#""devices":[{"path":"/dev/x","type":"d"}]"#), r#"linux.devices[0].type: "d" is not one of c, b, u, p"#),
        (linux(r#""devices":[{"path":"/dev/x","type":"c","major":-1}]"#), "linux.devices[0].major: -1 is not from 0 to 4095"),
        (linux(r#""rootfsPropagation":"public""#), r#"linux.rootfsPropagation: "public" is not one of private, "#),
        (linux(r#""personality":{"domain":"LINUX","flags":["X"]}"#), r#"linux.personality.flags[0]: "X", but no flag is defined"#),
        (linux(r#""memoryPolicy":{"mode":"MPOL_X"}"#), r#"linux.memoryPolicy.mode: "MPOL_X" is not one of "#),
        (resources(r#""memory":{"limit":-5}"#), "linux.resources.memory.limit: -5 is neither a number of bytes nor -1 for no limit"),
        (resources(r#""memory":{"swappiness":101}"#), "linux.resources.memory.swappiness: 101 is not from 0 to 100"),
        (resources(r#""cpu":{"idle":2}"#), "linux.resources.cpu.idle: 2 is not from 0 to 1"),
        (resources(r#""devices":[{"allow":true,"access":"rx"}]"#), r#"linux.resources.devices[0].access: "rx" has other letters than rwm"#),
        (resources(r#""devices":[{"allow":true,"type":"p"}]"#), r#"linux.resources.devices[0].type: "p" is not one of a, c, b"#),
        (resources(r#""rdma":{"mlx5_1":{"hcaHandles":-1}}"#), "linux.resources.rdma.mlx5_1.hcaHandles: "),
        (seccomp(r#""defaultAction":"ALLOW""#), r#"linux.seccomp.defaultAction: "ALLOW" is not one of SCMP_ACT_KILL, "#),
        (seccomp(r#""flags":["X"]"#), r#"linux.seccomp.flags[0]: "X" is not one of "#),
        (seccomp(r#""syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]"#), "linux.seccomp.syscalls[0].args[0].index: 6 is not from 0 to 5"),
        (seccomp(r#""syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"op":"EQ"}]}]"#), r#"linux.seccomp.syscalls[0].args[0].op: "EQ" is not one of "#),
    ];
    for (field, expected) in cases {
        let found = error(&field);
        assert!(found.starts_with(expected), "{field}: {found}");
    }
}

/// A configuration in which no field is missing and none has its default.
const FULL: &str = include_str!("full.json");

#[test]
fn no_field_is_lost() {
    let whole = spec(FULL).unwrap();
    let written: serde_json::Value = serde_json::from_str(&to_line(&whole).unwrap()).unwrap();
    let expected: serde_json::Value = serde_json::from_str(FULL).unwrap();
    assert_eq!(written, expected);
    assert_eq!(spec(&to_lines(&whole, "  ").unwrap()).unwrap(), whole);
    // What does not go with the policy there.
    let text = r#"{"policy":"SCHED_RR","priority":99}"#;
    assert_eq!(to_line(&parse::<super::Scheduler>(text.as_bytes()).unwrap()).unwrap(), text);
}

#[test]
fn the_template_is_as_it_would_be_written() {
    let template = spec(TEMPLATE).unwrap();
    assert_eq!(to_lines(&template, "\t").unwrap(), TEMPLATE.trim_end());
}

#[test]
fn the_rootless_template_is_the_other_without_privileges() {
    let mut expected = spec(TEMPLATE).unwrap();
    let linux = &mut expected.linux;
    linux.namespaces.retain(|namespace| namespace.kind != NamespaceKind::Network);
    linux.namespaces.push(Namespace { kind: NamespaceKind::User, path: "".into() });
    linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: 1000, size: 1 }];
    linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: 1001, size: 1 }];
    linux.resources = None;
    for mount in &mut expected.mounts {
        if mount.destination == "/sys" {
            mount.kind = "none".into();
            mount.source = "/sys".into();
            mount.options.insert(0, "rbind".into());
        }
        mount.options.retain(|option| !option.starts_with("gid="));
    }
    assert_eq!(spec(&rootless_template(1000, 1001)).unwrap(), expected);
}

#[test]
fn the_documents_that_others_read() {
    let annotations = [("a", "b".into())].into_iter().collect();
    let state = State {
        oci_version: "1.3.0".into(),
        id: "c".into(),
        status: Status::Running,
        pid: 12,
        bundle: "/b".into(),
        annotations,
    };
    let text = r#"{"ociVersion":"1.3.0","id":"c","status":"running","pid":12,"bundle":"/b","annotations":{"a":"b"}}"#;
    assert_eq!(to_line(&state).unwrap(), text);
    assert_eq!(parse::<State<'_>>(text.as_bytes()).unwrap(), state);
    let mut process = ContainerProcessState {
        oci_version: "1.3.0".into(),
        fds: vec![SECCOMP_FD_NAME.into()],
        pid: 13,
        metadata: "m".into(),
        state,
    };
    let expected = format!(
        r#"{{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":13,"metadata":"m","state":{text}}}"#
    );
    assert_eq!(to_line(&process).unwrap(), expected);
    process.state.pid = 0;
    assert!(!to_line(&process).unwrap().contains(r#""pid":0"#));
    let features = Features {
        oci_version_min: "1.0.0".into(),
        oci_version_max: "1.3.0".into(),
        hooks: Some(Vec::new()),
        mount_options: None,
        linux: None,
        annotations: Map::default(),
        unsafe_annotations: None,
    };
    let expected = r#"{"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","hooks":[]}"#;
    assert_eq!(to_line(&features).unwrap(), expected);
}

#[test]
fn parts_are_documents_of_their_own() {
    let resources: Resources<'_> = parse(br#"{"pids":{"limit":3}}"#).unwrap();
    assert_eq!(resources.pids.and_then(|pids| pids.limit), Some(3));
    let process: Process<'_> = parse(br#"{"args":["a"],"cwd":"/"}"#).unwrap();
    assert_eq!(process.user, User::default());
}
