//! A new role is not known everywhere at once: for some seconds nobody can assume it.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::latency::{Latencies, LatencySpan};
use crate::sync::lock;

/// From when on roles can be assumed, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Propagation(Mutex<HashMap<String, DateTime<Utc>>>);

impl Propagation {
    /// A role has been made this moment.
    pub(crate) fn begin(&self, role_id: &str, latencies: &Latencies) {
        let until = Utc::now() + latencies.of(LatencySpan::RolePropagation);
        lock(&self.0).insert(role_id.to_owned(), until);
    }

    /// Whether a role can be assumed by now. That of an earlier run of the sandbox is known by its creation's date.
    pub(crate) fn is_over(&self, role_id: &str, created: &str, latencies: &Latencies) -> bool {
        let mut all = lock(&self.0);
        let until = all.entry(role_id.to_owned()).or_insert_with(|| {
            let created = DateTime::parse_from_rfc3339(created).map_or(DateTime::UNIX_EPOCH, |date| date.to_utc());
            created + latencies.of(LatencySpan::RolePropagation)
        });
        *until <= Utc::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Pace;
    use thumbctl_sandbox_protocol::Latency;

    #[test]
    fn a_role_takes_its_time_even_over_a_restart() {
        let slow = Latencies::new(Pace { latency: Latency::Aws, time_scale: 1.0, seed: 1 });
        let propagation = Propagation::default();
        propagation.begin("AROANEW", &slow);
        assert!(!propagation.is_over("AROANEW", "2020-01-01T00:00:00Z", &slow), "its own record counts");
        let restarted = Propagation::default();
        let a_moment_ago = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert!(!restarted.is_over("AROANEW", &a_moment_ago, &slow));
        assert!(restarted.is_over("AROAOLD", "2020-01-01T00:00:00Z", &slow));
    }

    #[test]
    fn nothing_is_waited_for_in_an_instant_sandbox() {
        let instant = Latencies::new(Pace::default());
        let propagation = Propagation::default();
        propagation.begin("AROANEW", &instant);
        assert!(propagation.is_over("AROANEW", "", &instant));
    }
}
