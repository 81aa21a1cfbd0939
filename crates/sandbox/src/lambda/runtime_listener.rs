//! The listener of one process's Runtime API, and its checks of connections.
//!
//! A token in the path is not possible: Rust's runtime client reads `AWS_LAMBDA_RUNTIME_API` as an authority, Python's
//! and Node's split it into host and port. So the secret is the address: on Linux each process gets a random address of
//! 127.0.0.0/8 and a port. Browser requests are refused by their headers. Other users' processes, which can look the
//! address up, are refused on Linux.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::serve::Listener;
use http::HeaderMap;
use http::header::{HOST, ORIGIN, REFERER};
use tokio::net::{TcpListener, TcpStream};

/// The listener of one process's Runtime API.
#[derive(Debug)]
pub(super) struct RuntimeListener {
    inner: TcpListener,
    address: SocketAddr,
}

impl RuntimeListener {
    /// Listens on a free port of a random loopback address, or of 127.0.0.1 where only that exists.
    pub(super) async fn bind() -> io::Result<Self> {
        let inner = match TcpListener::bind((random_address(), 0)).await {
            Ok(inner) => inner,
            Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let address = inner.local_addr()?;
        Ok(Self { inner, address })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for RuntimeListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.inner).await;
            // Blocking, since large connection tables take milliseconds to read.
            let own = self.address;
            let foreign = tokio::task::spawn_blocking(move || connections::is_of_another_user(peer, own)).await;
            if foreign.is_ok_and(|foreign| !foreign) {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Whether a request's headers are a runtime client's: the exact host, and none of a browser's headers. Browsers send
/// `Origin` with changes, and `Sec-Fetch-*` or `Referer` otherwise.
pub(super) fn is_runtime_client(headers: &HeaderMap, authority: &str) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    host == Some(authority)
        && hosts.next().is_none()
        && !headers.contains_key(ORIGIN)
        && !headers.contains_key(REFERER)
        && !headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

fn random_address() -> Ipv4Addr {
    if cfg!(target_os = "linux") {
        let [a, b, c] = rand::random::<[u8; 3]>();
        // 0 and 255 are a network's first and last address.
        Ipv4Addr::new(127, a, b, c.clamp(1, 254))
    } else {
        Ipv4Addr::LOCALHOST
    }
}

#[cfg(target_os = "linux")]
mod connections {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    /// Whether the connection from `peer` to `own` is another user's, by the system's connection tables.
    pub(super) fn is_of_another_user(peer: SocketAddr, own: SocketAddr) -> bool {
        let tables: Vec<String> =
            ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        owned_by_another(&tables, peer, own, rustix::process::geteuid().as_raw())
    }

    /// A peer missing from the tables has disconnected. Tables without our own end are no evidence.
    pub(super) fn owned_by_another(tables: &[&str], peer: SocketAddr, own: SocketAddr, user: u32) -> bool {
        if uid_of(tables, own, peer).is_none() {
            return false;
        }
        uid_of(tables, peer, own) != Some(user)
    }

    /// The user of the socket at `local` connected to `remote`.
    fn uid_of(tables: &[&str], local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        let (local, remote) = (table_forms(local)?, table_forms(remote)?);
        tables.iter().flat_map(|table| table.lines()).find_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let same =
                |field: Option<&str>, expected: &[String; 2]| field.is_some_and(|f| expected.iter().any(|w| w == f));
            (same(fields.next(), &local) && same(fields.next(), &remote)).then(|| fields.nth(4)?.parse().ok())?
        })
    }

    /// An address in the tables' form, for IPv4 and for IPv4 in an IPv6 socket.
    pub(super) fn table_forms(address: SocketAddr) -> Option<[String; 2]> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let word = |ip: Ipv4Addr| format!("{:08X}", u32::from_ne_bytes(ip.octets()));
        let prefix = format!("{:016X}{:08X}", 0, u32::from_ne_bytes([0, 0, 0xFF, 0xFF]));
        Some([format!("{}:{:04X}", word(ip), address.port()), format!("{prefix}{}:{:04X}", word(ip), address.port())])
    }
}

#[cfg(not(target_os = "linux"))]
mod connections {
    use std::net::SocketAddr;

    /// Not known on this system.
    pub(super) fn is_of_another_user(_peer: SocketAddr, _own: SocketAddr) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn browsers_and_other_hosts_are_not_runtime_clients() {
        let host = ("host", "127.1.2.3:9001");
        let accepted = |pairs: &[(&'static str, &'static str)]| is_runtime_client(&headers(pairs), "127.1.2.3:9001");
        assert!(accepted(&[host]));
        assert!(accepted(&[host, ("user-agent", "AWS_Lambda_Cpp/0.2.6"), ("accept", "*/*")]));
        for spoilt in [
            &[][..],
            &[("host", "rebound.example:9001")],
            &[("host", "127.0.0.1:9001")],
            &[host, ("origin", "http://127.1.2.3:9001")],
            &[host, ("origin", "null")],
            &[host, ("referer", "http://example.com/")],
            // A browser's request for a page's image has no origin.
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")],
            &[host, ("sec-fetch-mode", "no-cors")],
        ] {
            assert!(!accepted(spoilt), "{spoilt:?}");
        }
    }

    #[test]
    fn runtime_api_variable_cannot_hold_a_token() {
        // Rust's runtime client parses the variable as a URI.
        assert!("127.0.0.1:9001".parse::<http::Uri>().is_ok());
        assert!("127.0.0.1:9001/token".parse::<http::Uri>().is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn addresses_are_random() {
        let (one, other) = (RuntimeListener::bind().await.unwrap(), RuntimeListener::bind().await.unwrap());
        assert!(one.address().ip().is_loopback() && other.address().ip().is_loopback());
        assert_ne!(one.address().ip(), other.address().ip());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connection_of_same_user_is_accepted() {
        let mut listener = RuntimeListener::bind().await.unwrap();
        let address = listener.address();
        for from_ipv6_socket in [false, true] {
            let client = match from_ipv6_socket {
                false => TcpStream::connect(address).await,
                true => match tokio::net::TcpSocket::new_v6() {
                    Ok(socket) => {
                        let std::net::IpAddr::V4(ip) = address.ip() else { panic!("{address}") };
                        socket.connect(SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())).await
                    }
                    // A machine without IPv6.
                    Err(_) => continue,
                },
            };
            let client = client.unwrap();
            let (_, peer) = listener.accept().await;
            assert_eq!(peer.port(), client.local_addr().unwrap().port());
            // This machine's tables contain the connection, so another user's would be recognised.
            let tables: Vec<String> = ["tcp", "tcp6"]
                .iter()
                .filter_map(|name| std::fs::read_to_string(format!("/proc/net/{name}")).ok())
                .collect();
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            let user = rustix::process::geteuid().as_raw();
            assert!(!connections::owned_by_another(&tables, peer, address, user));
            assert!(connections::owned_by_another(&tables, peer, address, user + 1));
            // A disconnected peer is refused; tables without our own end are no evidence.
            let row_of_peer = connections::table_forms(peer).unwrap();
            let is_of_peer = |line: &&str| row_of_peer.iter().any(|row| line.split_whitespace().nth(1) == Some(row));
            let without_peer: Vec<&str> =
                tables.iter().flat_map(|table| table.lines()).filter(|l| !is_of_peer(l)).collect();
            assert!(connections::owned_by_another(&without_peer, peer, address, user));
            assert!(!connections::owned_by_another(&[], peer, address, user));
        }
    }
}
