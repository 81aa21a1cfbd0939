//! The bucket in the Host header of a virtual-hosted-style request to S3.

/// The bucket in `BUCKET.localhost:PORT`, `BUCKET.s3.localhost`, `BUCKET.s3.REGION.localhost`.
pub(crate) fn bucket_of_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).strip_suffix(".localhost")?;
    if name == "s3" || name.starts_with("s3.") {
        return None;
    }
    match name.rfind(".s3.") {
        Some(at) => Some(&name[..at]),
        None => Some(name.strip_suffix(".s3").unwrap_or(name)),
    }
}
