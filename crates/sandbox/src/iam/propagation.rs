//! [`Propagation`]: the delay before a new role can be assumed.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::latency::{Latencies, LatencySpan};
use crate::sync::lock;

/// The times from which roles can be assumed, by role id.
#[derive(Debug, Default)]
pub(crate) struct Propagation(Mutex<HashMap<String, DateTime<Utc>>>);

impl Propagation {
    /// Records the creation of a role.
    pub(crate) fn begin(&self, role_id: &str, latencies: &Latencies) {
        let until = Utc::now() + latencies.of(LatencySpan::RolePropagation);
        lock(&self.0).insert(role_id.to_owned(), until);
    }

    /// Whether a role can be assumed. For roles of an earlier sandbox process the creation date decides.
    pub(crate) fn is_complete(&self, role_id: &str, created: &str, latencies: &Latencies) -> bool {
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
    fn propagation_continues_after_a_restart() {
        let slow = Latencies::new(Pace { latency: Latency::Aws, time_scale: 1.0, seed: 1 });
        let propagation = Propagation::default();
        propagation.begin("AROANEW", &slow);
        assert!(!propagation.is_complete("AROANEW", "2020-01-01T00:00:00Z", &slow), "its own record counts");
        let restarted = Propagation::default();
        let a_moment_ago = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert!(!restarted.is_complete("AROANEW", &a_moment_ago, &slow));
        assert!(restarted.is_complete("AROAOLD", "2020-01-01T00:00:00Z", &slow));
    }

    #[test]
    fn propagation_is_immediate_without_latency() {
        let instant = Latencies::new(Pace::default());
        let propagation = Propagation::default();
        propagation.begin("AROANEW", &instant);
        assert!(propagation.is_complete("AROANEW", "", &instant));
    }
}
