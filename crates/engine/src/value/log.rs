//! How what a container prints is kept.

use super::bytes;
use crate::settings::LogOptions;

/// Takes the name of a driver. Docker's names for a file of its own mean ours, which `logs` reads as
/// well.
///
/// # Errors
/// What would be right.
pub fn log_driver(log: &mut LogOptions, name: &str) -> Result<(), String> {
    log.none = match name {
        "k8s-file" | "json-file" | "local" => false,
        "none" => true,
        _ => {
            return Err(
                "output is kept in a file (k8s-file), or not at all (none); other programs \
                        can read it from where `tinyo inspect --format '{{.LogPath}}'` says"
                    .to_owned(),
            );
        }
    };
    Ok(())
}

/// Takes an option: `max-size`, `max-file`, `labels`, `env`.
///
/// # Errors
/// What would be right.
pub fn log_option(log: &mut LogOptions, name: &str, value: &str) -> Result<(), String> {
    let names = |text: &str| text.split(',').map(str::to_owned).collect();
    match name {
        "max-size" => log.max_size = u64::try_from(bytes(value)?).unwrap_or(0),
        "max-file" => {
            let count = value.parse().ok().filter(|count| *count > 0);
            log.max_files = count.ok_or("it is a number from 1 on")?;
        }
        "labels" => log.labels = names(value),
        "env" => log.env = names(value),
        _ => return Err("only max-size, max-file, labels and env are known".to_owned()),
    }
    Ok(())
}
