//! A Neo4j of a test's own, which it may freeze and kill.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// How long its last threads may hold the ports after the process is gone.
const LETTING_GO: Duration = Duration::from_secs(30);

/// Stopped at the end.
pub struct Server {
    home: tempfile::TempDir,
    ports: [u16; 2],
    tls: bool,
}

impl Server {
    /// On two ports that nobody else has; with TLS it speaks nothing else.
    pub fn start(bolt: u16, http: u16, tls: bool) -> Self {
        let server = Self { home: tempfile::tempdir().unwrap(), ports: [bolt, http], tls };
        server.up();
        server
    }

    /// The certificate of the authority that signed its own, which is for `localhost`.
    pub fn ca(&self) -> PathBuf {
        self.home.path().join("certificates/bolt/ca.pem")
    }

    fn script(name: &str) -> Command {
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/neo4j").join(name))
    }

    pub fn up(&self) {
        let mut script = Self::script("up.sh");
        script.arg(self.home.path()).args(self.ports.map(|port| port.to_string()));
        if self.tls {
            script.env("NEO4J_TLS", "1");
        }
        assert!(script.env("NEO4J_HEAP", "512m").status().unwrap().success(), "the server did not start");
    }

    pub fn down(&self, signal: &str) {
        let stopped = Self::script("down.sh").arg(self.home.path()).arg(signal).status();
        assert!(stopped.unwrap().success());
        let end = Instant::now() + LETTING_GO;
        for port in self.ports {
            while TcpStream::connect(("127.0.0.1", port)).is_ok() {
                assert!(Instant::now() < end, "port {port} is still held");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// STOP freezes it, CONT lets it go on.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.home.path().join("pid")).unwrap();
        let pid = pid.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args([&format!("-{name}"), pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // whether it worked is nothing that a test which failed already should fail by
        let _ = Self::script("down.sh").arg(self.home.path()).arg("KILL").status();
    }
}
