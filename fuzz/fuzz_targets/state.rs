//! `state.yaml` and Compose files: what they mean, or what is wrong with them and where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use project::state::Defaults;
use project::{FileError, Project, compose, state};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let folder = Path::new("/shop");
    let defaults = Defaults { name: None, folder_name: "shop", folder, environment: |_| None };
    for parse in [state::parse, compose::parse] {
        check(bytes, parse(bytes, defaults));
    }
});

fn check(bytes: &[u8], result: Result<Project, FileError>) {
    match result {
        Ok(project) => {
            let services = project.services();
            assert!(!services.is_empty());
            let place = |name: &str| services.iter().position(|it| it.name == name);
            for (own, service) in services.iter().enumerate() {
                let settings = &service.settings;
                assert!(!settings.image.is_empty());
                assert!(service.needs.iter().all(|need| place(&need.service) < Some(own)));
                assert!(settings.network.ports.iter().all(|it| net::port::parse(it).is_ok()));
                assert!(settings.mounts.iter().all(|it| !it.source.contains('\0')));
            }
        }
        Err(error) => {
            // A carriage return alone ends a line, too.
            let lines = 1 + bytes.iter().filter(|it| matches!(it, b'\n' | b'\r')).count();
            let position = error.position;
            // The end of a text that lacks its last line break is on a line of its own.
            assert!((1..=lines + 1).contains(&position.line), "{error}");
            assert!(position.column > 0 && !error.message.is_empty(), "{error}");
        }
    }
}
