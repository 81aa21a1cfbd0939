//! The AWS layer against moto, an independent imitation of AWS, if installed (`pip install 'moto[server]'`).

/// The running moto; without one, the test ends with a line that gives the reason.
macro_rules! moto_or_skip {
    () => {
        match Moto::shared().await {
            Some(moto) => moto,
            None => {
                println!("skipped: moto_server is not on this machine");
                return;
            }
        }
    };
}

mod calls;
mod cloudformation;
mod codebuild;
mod ecr;
mod iam;
mod lambda;
mod logs;
mod moto;
mod s3;

use thumbctl_deploy::aws::Tags;
use thumbctl_test_support::foreign::ForeignTest;

fn tags() -> Tags {
    Tags::from([("deployment".to_owned(), "thumbnails-1".to_owned()), ("strategy".to_owned(), "sdk".to_owned())])
}

pub(crate) fn tests() -> Vec<ForeignTest> {
    [
        calls::tests(),
        cloudformation::tests(),
        codebuild::tests(),
        ecr::tests(),
        iam::tests(),
        lambda::tests(),
        logs::tests(),
        s3::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
