//! Tests with other programs (Python, moto, the AWS CLI, boto3, Terraform). Without one, its tests are
//! reported as ignored; `THUMBCTL_REQUIRE_TOOLS=1` makes them fail instead.

mod aws_clients;
mod aws_layer;
mod console;
mod python_functions;
mod python_runtime;
mod sandbox;
mod small_disk;
mod stacks;
mod terraform;
mod whole_loop;

use std::process::ExitCode;

fn main() -> ExitCode {
    let tests = [
        aws_clients::tests(),
        aws_layer::tests(),
        console::tests(),
        python_functions::tests(),
        python_runtime::tests(),
        sandbox::tests(),
        small_disk::tests(),
        stacks::tests(),
        terraform::tests(),
        whole_loop::tests(),
    ];
    thumbctl_test_support::foreign::run(tests.into_iter().flatten().collect())
}
