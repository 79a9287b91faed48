//! By what a project finds again what it has made.

use crate::model::{Project, Service};
use engine::settings::Settings;
use image::Hasher;
use serde_json::Value;
use spec::image::Algorithm;

/// Which project it belongs to.
pub(crate) const PROJECT: &str = "org.tinyo.project";
/// Which service of it a container is.
pub(crate) const SERVICE: &str = "org.tinyo.service";
/// What the service was when the container was made of it.
pub(crate) const FINGERPRINT: &str = "org.tinyo.fingerprint";
/// Which services it needs, with commas between them.
pub(crate) const NEEDS: &str = "org.tinyo.needs";

/// It runs beside its service's container, and takes nobody's place.
pub(crate) const ONE_OFF: &str = "org.tinyo.one-off";

/// The label by which the containers of a project are found, as filters are written.
pub fn label_of(project: &str) -> String {
    format!("{PROJECT}={project}")
}

/// Adds the labels of a service's container.
pub(crate) fn add(settings: &mut Settings, project: &Project, service: &Service) {
    let needs: Vec<&str> = service.needs.iter().map(|need| need.service.as_str()).collect();
    let all = [
        (PROJECT, project.name().to_owned()),
        (SERVICE, service.name.clone()),
        (FINGERPRINT, fingerprint(&service.settings)),
        (NEEDS, needs.join(",")),
    ];
    settings.labels.extend(all.map(|(name, value)| (name.to_owned(), value)));
}

/// Another one for each thing that a service may be. What is as usual does not count, so that a
/// newer program with more settings finds what an older one has made unchanged.
pub(crate) fn fingerprint(settings: &Settings) -> String {
    let of = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let value = without(of(settings), &of(&Settings::default()));
    let digest = Hasher::of;
    digest(Algorithm::Sha256, value.to_string().as_bytes()).short().to_owned()
}

/// What differs from the usual.
fn without(value: Value, usual: &Value) -> Value {
    match (value, usual) {
        (Value::Object(fields), Value::Object(usual)) => {
            let differs = |(name, value): (String, Value)| match usual.get(&name) {
                Some(usual) if *usual == value => None,
                Some(usual) => Some((name, without(value, usual))),
                None => Some((name, value)),
            };
            Value::Object(fields.into_iter().filter_map(differs).collect())
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use engine::settings::{Restart, RestartPolicy, Settings};

    #[test]
    fn what_differs_has_another_one() {
        let usual = Settings::default();
        let image = Settings { image: "a".to_owned(), ..Settings::default() };
        let restart = Restart { policy: RestartPolicy::Always, limit: 0 };
        let all = [usual.clone(), Settings { restart, ..image.clone() }, image];
        let prints = all.each_ref().map(fingerprint);
        assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2]);
        assert_eq!(fingerprint(&usual), prints[0]);
        // It is in databases: a change of it replaces every container of every project.
        assert_eq!(prints[0], "44136fa355b3");
    }
}
