//! The configuration of registries: `hosts.toml` and `registries.conf`.
#![no_main]

use image::hosts::{Hosts, RegistriesConf, parse_hosts_toml};
use image::reference::Reference;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let reference: Reference = "registry.test:5000/a/b".parse().unwrap();
    let repository = reference.repository();
    let upstream = Hosts::default().endpoints(repository).unwrap().remove(0);
    let path = Path::new("/nowhere/hosts.toml");
    if let Ok(endpoints) = parse_hosts_toml(text, path).and_then(|it| it.endpoints(&upstream)) {
        assert!(!endpoints.is_empty());
        for endpoint in endpoints {
            assert!(!endpoint.path.contains(".."), "{endpoint:?}");
            let is_clean = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
            assert!(is_clean(endpoint.base.target()), "{endpoint:?}");
            assert!(endpoint.headers.iter().all(|(name, value)| is_clean(name) && is_clean(value)));
        }
    }
    let mut registries = RegistriesConf::default();
    if registries.add(text, path).is_ok() {
        let _ = registries.short_names().list();
        let _ = Hosts { registries, ..Hosts::default() }.endpoints(repository);
    }
});
