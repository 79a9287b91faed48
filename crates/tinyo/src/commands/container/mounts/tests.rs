use super::*;

#[test]
fn mounts() {
    let named = volume("data:/var:ro").unwrap();
    assert_eq!(
        (named.kind, named.source.as_str(), named.read_only),
        (MountKind::Volume, "data", true)
    );
    let path = volume("/tmp:/x/").unwrap();
    assert_eq!((path.kind, path.target.as_str()), (MountKind::Bind, "/x"));
    assert_eq!(volume("/x").unwrap().source, "");
    assert!(volume("a:b").is_err() && volume("a:/b:c:d").is_err());
    let long = mount("type=bind,src=/tmp,dst=/y,readonly").unwrap();
    assert_eq!((long.kind, long.source.as_str(), long.read_only), (MountKind::Bind, "/tmp", true));
    assert!(mount("type=bind,src=/tmp").is_err() && mount("type=x,dst=/y").is_err());
    assert_eq!(tmpfs("/run:size=1m,exec").unwrap().options, ["size=1m", "exec"]);
    assert!(tmpfs("/run:sise=1m").is_err() && tmpfs("run").is_err());
}

#[test]
fn options_of_mounts() {
    assert!(volume("a:/b:ro,nocopy").unwrap().no_copy);
    for wrong in ["a:/b:foo", "/tmp:/b:/c"] {
        assert!(volume(wrong).is_err(), "{wrong}");
    }
    let fine = mount("type=bind,src=/tmp,dst=/y,bind-recursive=disabled,bind-propagation=rslave");
    assert_eq!(fine.unwrap().options, ["bind", "rslave"]);
    assert!(mount("type=volume,src=a,dst=/y,volume-nocopy").unwrap().no_copy);
    for (wrong, said) in [
        ("type=bind,src=/tmp,dst=/y,tmpfs-size=1m", "type=tmpfs"),
        ("type=bind,src=/no/such/folder,dst=/y", "no such file"),
        ("type=bind,dst=/y", "source="),
        ("type=volume,src=a", "target="),
        ("type=bind,src=/tmp,dst=/y,readonly=maybe", "neither true nor false"),
        ("type=tmpfs,dst=/y,size=1m,foo", "no field"),
    ] {
        let error = mount(wrong).unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}

#[test]
fn new_volumes_are_described() {
    let text = "type=volume,src=a,dst=/y,volume-label=x=1,volume-opt=type=tmpfs,\
                \"volume-opt=o=size=1m,mode=700\"";
    let own = mount(text).unwrap();
    assert_eq!(own.labels["x"], "1");
    let file_system = own.file_system.unwrap();
    assert_eq!((file_system.kind.as_str(), file_system.device.as_str()), ("tmpfs", "tmpfs"));
    assert_eq!(file_system.options, ["size=1m", "mode=700"]);
    assert!(mount("type=bind,src=/tmp,dst=/y,volume-opt=type=tmpfs").is_err());
    assert!(mount("type=volume,dst=/y,volume-opt=color=red").is_err());
}

#[test]
fn parts_of_volumes_and_images() {
    let part = mount("type=volume,src=data,dst=/x,volume-subpath=/a/b/").unwrap();
    assert_eq!((part.subpath.as_str(), part.no_copy), ("a/b", true));
    let image = mount("type=image,source=box,target=/x,subpath=etc,rw=false").unwrap();
    assert_eq!((image.kind, image.read_only), (MountKind::Image, true));
    for wrong in [
        "type=image,source=box,target=/x,rw=true",
        "type=image,target=/x",
        "type=bind,source=/tmp,target=/x,subpath=a",
        "type=volume,target=/x,volume-subpath=a",
        "type=volume,source=a,target=/x,image-subpath=a",
        "type=devpts,target=/x",
        "type=volume,source=a,target=/x,color=red",
    ] {
        assert!(mount(wrong).is_err(), "{wrong}");
    }
}
