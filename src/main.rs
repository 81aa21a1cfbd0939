//! Temporary: the sandbox alone.

use std::process::ExitCode;

use thumbctl::sandbox::{self, DataDir, ServeOptions};

fn main() -> ExitCode {
    let started_as = std::env::args_os().next().and_then(|program| {
        let name = std::path::Path::new(&program).file_name()?.to_str()?;
        Some(name.to_owned())
    });
    if started_as.as_deref() == Some("bootstrap") {
        return thumbnail_function::run();
    }
    if let Some(name) = started_as
        && sandbox::standin::NAMES.contains(&&*name)
    {
        return sandbox::standin::run(&name, std::env::args_os().skip(1));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        arguments
            .iter()
            .position(|a| a == name)
            .and_then(|at| arguments.get(at + 1))
            .cloned()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let faults = match after("--faults")
        .map(|file| sandbox::read_faults(file.as_ref()))
        .transpose()
    {
        Ok(faults) => faults.unwrap_or_default(),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let attached = arguments.iter().any(|a| a == "--attached");
    let options = ServeOptions {
        data_dir: after("--data-dir").map_or(DataDir::Ephemeral, |dir| DataDir::Kept(dir.into())),
        port: after("--port").and_then(|port| port.parse().ok()),
        attached,
        on_ready: (!attached).then(|| -> sandbox::OnReady {
            Box::new(|endpoint| {
                println!("export AWS_ENDPOINT_URL={}", endpoint.url);
                println!("export AWS_ACCESS_KEY_ID={}", endpoint.access_key);
                println!("export AWS_SECRET_ACCESS_KEY={}", endpoint.secret_key);
            })
        }),
        on_request: (!attached).then(|| -> sandbox::OnRequest {
            std::sync::Arc::new(|log| {
                println!(
                    "{} {} {} {:.1} ms",
                    log.service,
                    log.operation,
                    log.status,
                    log.took.as_secs_f64() * 1e3
                );
            })
        }),
        shutdown: Box::pin(async {
            let _ = tokio::signal::ctrl_c().await;
        }),
        faults,
    };
    match runtime.block_on(sandbox::serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
