//! A fault rule on the command line: `SERVICE:OPERATION:WHAT[:HOW-OFTEN]`.

use std::str::FromStr;

use super::{Fault, FaultKind, FaultRule};

/// Why a rule on the command line is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultLineError {
    /// It does not have three or four parts.
    #[error("it must be SERVICE:OPERATION:WHAT or SERVICE:OPERATION:WHAT:HOW-OFTEN, such as s3:PutObject:throttle:20%")]
    Parts,
    /// The fault is unknown.
    #[error("'{0}' is none of throttle, 500, delay=MILLISECONDS, hang, drop-before and drop-after")]
    What(String),
    /// The frequency is invalid.
    #[error("'{0}' is neither a share of the calls, such as 20%, nor a number of them, such as x2")]
    HowOften(String),
}

impl FromStr for FaultRule {
    type Err = FaultLineError;

    /// `*` means every service or operation; `x2` affects the first two calls.
    fn from_str(line: &str) -> Result<Self, FaultLineError> {
        let parts: Vec<&str> = line.split(':').collect();
        let (service, operation, what, how_often) = match parts[..] {
            [service, operation, what] => (service, operation, what, None),
            [service, operation, what, how_often] => (service, operation, what, Some(how_often)),
            _ => return Err(FaultLineError::Parts),
        };
        if service.is_empty() || operation.is_empty() {
            return Err(FaultLineError::Parts);
        }
        let (share, times) = how_often.map_or(Ok((None, None)), how_many)?;
        Ok(Self::Counted(Fault {
            service: service.to_owned(),
            operation: operation.to_owned(),
            about: None,
            skip: 0,
            times,
            share,
            kind: kind(what)?,
        }))
    }
}

fn kind(what: &str) -> Result<FaultKind, FaultLineError> {
    let unknown = || FaultLineError::What(what.to_owned());
    Ok(match what {
        "throttle" => FaultKind::Throttle,
        "500" => FaultKind::Failure,
        "hang" => FaultKind::Hang,
        "drop-before" => FaultKind::DropBefore,
        "drop-after" => FaultKind::DropAfter,
        other => {
            let delay = other.strip_prefix("delay=").ok_or_else(unknown)?;
            FaultKind::Delay { delay_ms: delay.parse().map_err(|_| unknown())? }
        }
    })
}

/// Parses a share of the calls, or the number of the first ones.
fn how_many(text: &str) -> Result<(Option<f64>, Option<u64>), FaultLineError> {
    let wrong = || FaultLineError::HowOften(text.to_owned());
    if let Some(times) = text.strip_prefix('x') {
        return Ok((None, Some(times.parse().map_err(|_| wrong())?)));
    }
    let percent: f64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    if (0.0..=100.0).contains(&percent) { Ok((Some(percent / 100.0), None)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> Fault {
        match line.parse() {
            Ok(FaultRule::Counted(fault)) => fault,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn line_is_parsed_into_calls_fault_and_frequency() {
        let throttled = fault("s3:PutObject:throttle:20%");
        assert_eq!((throttled.service.as_str(), throttled.operation.as_str()), ("s3", "PutObject"));
        assert_eq!((throttled.share, throttled.times), (Some(0.2), None));
        assert!(matches!(throttled.kind, FaultKind::Throttle));
        assert_eq!(fault("*:*:drop-after:x2").times, Some(2));
        assert!(matches!(fault("iam:*:delay=250").kind, FaultKind::Delay { delay_ms: 250 }));
        assert!(matches!(fault("codebuild:StartBuild:500").kind, FaultKind::Failure));
    }

    #[test]
    fn invalid_rule_is_rejected_with_its_reason() {
        let error = |line: &str| line.parse::<FaultRule>().unwrap_err();
        assert_eq!(error("s3"), FaultLineError::Parts);
        assert_eq!(error("s3:PutObject:explode"), FaultLineError::What("explode".to_owned()));
        assert_eq!(error("s3:PutObject:delay=soon"), FaultLineError::What("delay=soon".to_owned()));
        for how_often in ["120%", "-1%", "often", "x", "NaN%"] {
            assert_eq!(error(&format!("s3:*:hang:{how_often}")), FaultLineError::HowOften(how_often.to_owned()));
        }
    }
}
