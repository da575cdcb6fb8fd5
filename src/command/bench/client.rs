//! A small HTTP/1.1 client: it costs little, so that what is measured is the server.

use bytes::{Bytes, BytesMut};
use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What to ask.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub path: String,
    pub token: String,
}

/// Several connections that ask the same, one request after the other, for a time.
pub struct Load {
    pub target: Target,
    /// Ask a little differently each time, so that no kept answer will do.
    pub vary: bool,
    pub connections: usize,
    pub time: Duration,
}

impl Load {
    /// Answers a second.
    pub async fn run(self) -> io::Result<f64> {
        let start = Instant::now();
        let tasks = (0..self.connections).map(|place| {
            let (target, time, vary) = (self.target.clone(), self.time, self.vary);
            tokio::spawn(async move {
                let mut connection = Connection::open(&target).await?;
                let mut answers = 0_u32;
                while start.elapsed() < time {
                    if vary {
                        connection.request = request(&target, &format!("n={place}.{answers}"));
                    }
                    connection.ask(None).await?;
                    answers += 1;
                }
                Ok::<_, io::Error>(answers)
            })
        });
        let mut answers = 0;
        for task in tasks.collect::<Vec<_>>() {
            answers += task.await.map_err(io::Error::other)??;
        }
        Ok(f64::from(answers) / start.elapsed().as_secs_f64())
    }
}

/// One answer's body.
pub async fn fetch(target: &Target) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    Connection::open(target).await?.ask(Some(&mut body)).await?;
    Ok(body.freeze())
}

/// The text of a request, with one more parameter that means nothing.
fn request(target: &Target, more: &str) -> Vec<u8> {
    let Target { path, address, token } = target;
    let more = match (more, path.contains('?')) {
        ("", _) => String::new(),
        (more, true) => format!("&{more}"),
        (more, false) => format!("?{more}"),
    };
    format!("GET {path}{more} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
    held: usize,
}

impl Connection {
    async fn open(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: request(target, ""), buffer: vec![0; 1 << 18], held: 0 })
    }

    /// Asks once and reads the whole answer, keeping its body where one is wanted.
    async fn ask(&mut self, mut keep: Option<&mut BytesMut>) -> io::Result<()> {
        self.stream.write_all(&self.request).await?;
        let head = loop {
            if let Some(end) = self.buffer[..self.held].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200") {
            return Err(io::Error::other(text.lines().next().unwrap_or_default().to_owned()));
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::to_owned);
        self.consume(head);
        if let Some(length) = length {
            let length = length.trim().parse().map_err(io::Error::other)?;
            return self.take(length, &mut keep).await;
        }
        loop {
            let line = loop {
                if let Some(end) = self.buffer[..self.held].windows(2).position(|two| two == b"\r\n") {
                    break end;
                }
                self.more().await?;
            };
            let size = std::str::from_utf8(&self.buffer[..line]).map_err(io::Error::other)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            self.consume(line + 2);
            self.take(size, &mut keep).await?;
            self.take(2, &mut None).await?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        let read = self.stream.read(&mut self.buffer[self.held..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.held += read;
        Ok(())
    }

    async fn take(&mut self, mut left: usize, keep: &mut Option<&mut BytesMut>) -> io::Result<()> {
        while left > 0 {
            if self.held == 0 {
                self.more().await?;
            }
            let part = left.min(self.held);
            if let Some(keep) = keep {
                keep.extend_from_slice(&self.buffer[..part]);
            }
            self.consume(part);
            left -= part;
        }
        Ok(())
    }

    fn consume(&mut self, part: usize) {
        self.buffer.copy_within(part..self.held, 0);
        self.held -= part;
    }
}

/// A line of what the system says of a process's memory, KiB.
pub fn memory_kib(pid: u32, line: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|found| found.strip_prefix(line)).ok_or("no such line")?;
    Ok(found.trim().trim_end_matches("kB").trim().parse()?)
}
