//! A connection that ends when its client keeps it without using it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// What a connection is doing, told by whoever answers its requests.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    begun: AtomicU64,
    ended: AtomicU64,
    many_at_once: AtomicBool,
}

impl Pulse {
    /// A request begins; it ends when what is returned is dropped.
    pub fn request(self: &Arc<Self>) -> Request {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Request(Arc::clone(self))
    }

    /// The connection speaks HTTP/2: bytes are not the beginning of one request.
    pub fn is_http2(&self) {
        self.many_at_once.store(true, Ordering::Relaxed);
    }
}

/// A request under way.
pub(super) struct Request(Arc<Pulse>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads and writes, and fails with [`io::ErrorKind::TimedOut`] when, while no request is under way,
///
/// - nothing was read or taken by the client for `idle`;
/// - or an HTTP/1 request began, or the connection was made, `head` ago, and its head is still not whole.
pub(super) struct Watched<S> {
    stream: S,
    idle: Duration,
    head: Duration,
    pulse: Arc<Pulse>,
    moved: Instant,
    /// When the first byte of a head came, and how many requests had begun by then.
    heard: Option<(Instant, u64)>,
    sniffed: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, idle: Duration, head: Duration, pulse: Arc<Pulse>) -> Self {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(now + idle.min(head)));
        Self { stream, idle, head, pulse, moved: now, heard: Some((now, 0)), sniffed: false, timer }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.moved = Instant::now();
        if !self.sniffed {
            self.sniffed = true;
            if bytes.starts_with(b"PRI ") {
                self.pulse.is_http2();
            }
            return;
        }
        let begun = self.pulse.begun.load(Ordering::Relaxed);
        let under_way = begun != self.pulse.ended.load(Ordering::Relaxed);
        if !under_way && self.heard.is_none_or(|(_, before)| before != begun) {
            self.heard = Some((self.moved, begun));
        }
    }

    /// When to give up, if nothing moves until then; not while a request is under way, whose time is bounded elsewhere.
    fn deadline(&self) -> Option<Instant> {
        let begun = self.pulse.begun.load(Ordering::Relaxed);
        if begun != self.pulse.ended.load(Ordering::Relaxed) {
            return None;
        }
        let idle = self.moved + self.idle;
        match self.heard {
            Some((since, before)) if before == begun && !self.pulse.many_at_once.load(Ordering::Relaxed) => {
                Some(idle.min(since + self.head))
            }
            _ => Some(idle),
        }
    }

    fn silence<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            // the timer is not moved for every byte: when it rings too early it is set anew
            if self.timer.is_elapsed() || deadline < self.timer.deadline() {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => self.silence(context),
            Poll::Ready(outcome) => {
                self.moved = Instant::now();
                Poll::Ready(outcome)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.silence(context),
            Poll::Ready(outcome) => {
                self.read(&buffer.filled()[before..]);
                Poll::Ready(outcome)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.wrote(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const IDLE: Duration = Duration::from_secs(3);
    const HEAD: Duration = Duration::from_millis(200);
    /// Longer than a busy machine needs for anything here.
    const LONG: Duration = Duration::from_secs(20);

    fn pair() -> (DuplexStream, Watched<DuplexStream>, Arc<Pulse>) {
        let (near, far) = duplex(1 << 10);
        let pulse = Arc::new(Pulse::default());
        (near, Watched::new(far, IDLE, HEAD, Arc::clone(&pulse)), pulse)
    }

    /// Whether it takes about so long until reading ends by itself.
    async fn ends_after(time: Duration, stream: &mut Watched<DuplexStream>) -> bool {
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        (time..if time == HEAD { IDLE } else { LONG }).contains(&start.elapsed())
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        let (_client, mut server, _) = pair();
        assert!(ends_after(HEAD, &mut server).await);
    }

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte() {
        let (mut client, mut server, _) = pair();
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(HEAD / 10).await;
            }
        });
        let start = Instant::now();
        while server.read_u8().await.is_ok() {}
        assert!((HEAD..IDLE).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn requests_are_waited_for_between_and_within() {
        let (mut client, mut server, pulse) = pair();
        for _ in 0..2 {
            client.write_all(b"GET / HTTP/1.1").await.unwrap();
            server.read_exact(&mut [0; 14]).await.unwrap();
            let request = pulse.request();
            // however long the answer takes
            let waited = tokio::time::timeout(IDLE + HEAD, server.read_u8()).await;
            assert!(waited.is_err());
            drop(request);
            server.write_all(b"answer").await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
            let between = tokio::time::timeout(3 * HEAD, server.read_u8()).await;
            assert!(between.is_err(), "{between:?}");
        }
        // the next one begins and does not end
        client.write_all(b"GET").await.unwrap();
        server.read_exact(&mut [0; 3]).await.unwrap();
        assert!(ends_after(HEAD, &mut server).await);
    }

    #[tokio::test]
    async fn after_an_answer_silence_is_bounded() {
        let (mut client, mut server, pulse) = pair();
        client.write_all(b"GET / HTTP/1.1").await.unwrap();
        server.read_exact(&mut [0; 14]).await.unwrap();
        drop(pulse.request());
        server.write_all(b"answer").await.unwrap();
        assert!(ends_after(IDLE, &mut server).await);
    }

    #[tokio::test]
    async fn http_2_is_bounded_by_silence_only() {
        let (mut client, mut server, _) = pair();
        client.write_all(b"PRI * HTTP/2.0").await.unwrap();
        server.read_exact(&mut [0; 14]).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
        assert!(ends_after(IDLE, &mut server).await);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes() {
        let (_client, mut server, pulse) = pair();
        drop(pulse.request());
        let start = Instant::now();
        let error = server.write_all(&[0; 1 << 12]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((IDLE..LONG).contains(&start.elapsed()));
    }
}
