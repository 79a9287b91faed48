//! Whether a container is what somebody waits for.

use crate::model::Until;
use engine::settings::RestartPolicy;
use engine::{Container, HealthStatus, Seen, Status};

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Ready,
    Wait,
    Never(String),
}

/// Whether a container is what somebody waits for.
pub(crate) fn verdict(container: &Container, seen: &Seen, until: Until) -> Verdict {
    let code = seen.state.exit_code;
    let is_over = matches!(seen.status, Status::Exited | Status::Created);
    let comes_back = container.settings.restart.policy != RestartPolicy::No;
    match (until, seen.status, seen.state.health) {
        (Until::Completed, Status::Exited, _) if code == 0 => Verdict::Ready,
        (Until::Completed, _, _) if !is_over => Verdict::Wait,
        // A job that is done. Somebody who needs its health waits in vain.
        (Until::Ready | Until::Started, Status::Exited, _) if code == 0 => Verdict::Ready,
        (_, Status::Restarting, _) if comes_back => Verdict::Wait,
        _ if is_over => Verdict::Never(format!("has ended with exit code {code}")),
        (Until::Started, _, _) => Verdict::Ready,
        (_, _, Some((HealthStatus::Healthy, _))) => Verdict::Ready,
        (_, _, Some((HealthStatus::Starting, _))) => Verdict::Wait,
        (_, _, Some((HealthStatus::Unhealthy, failures))) => {
            Verdict::Never(format!("is unhealthy: its check has failed {failures} times"))
        }
        (Until::Healthy, _, None) => {
            Verdict::Never("has no health check, so it never becomes healthy".to_owned())
        }
        (_, _, None) => Verdict::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};
    use crate::model::Until;
    use engine::settings::Settings;
    use engine::{Container, HealthStatus, Seen, State, Status};

    fn judge(status: Status, health: Option<HealthStatus>, exit_code: u8, until: Until) -> Verdict {
        let container = Container {
            id: String::new(),
            name: String::new(),
            manifest: None,
            layers: Vec::new(),
            created: 0,
            settings: Settings::default(),
            pod: None,
            is_infra: false,
        };
        let health = health.map(|health| (health, 3));
        let state = State { exit_code, health, ..State::default() };
        verdict(&container, &Seen { status, state }, until)
    }

    #[test]
    fn who_is_ready() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        use Status::{Exited, Running};
        let never = |verdict| matches!(verdict, Verdict::Never(_));
        assert_eq!(judge(Running, None, 0, Until::Ready), Verdict::Ready);
        assert_eq!(judge(Running, Some(Starting), 0, Until::Ready), Verdict::Wait);
        assert_eq!(judge(Running, Some(Starting), 0, Until::Started), Verdict::Ready);
        assert_eq!(judge(Running, Some(Healthy), 0, Until::Healthy), Verdict::Ready);
        assert!(never(judge(Running, Some(Unhealthy), 0, Until::Ready)));
        assert!(never(judge(Running, None, 0, Until::Healthy)));
        assert_eq!(judge(Running, None, 0, Until::Completed), Verdict::Wait);
        assert_eq!(judge(Exited, None, 0, Until::Completed), Verdict::Ready);
        assert_eq!(judge(Exited, None, 0, Until::Ready), Verdict::Ready);
        assert!(never(judge(Exited, None, 1, Until::Completed)));
        assert!(never(judge(Exited, None, 1, Until::Ready)));
        assert!(never(judge(Exited, Some(Starting), 0, Until::Healthy)));
    }
}
