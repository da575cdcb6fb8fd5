//! A TCP proxy that cuts, delays and hangs connections on request.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What it does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Through,
    /// Each piece arrives so much later.
    Delayed(Duration),
    /// Nothing arrives until it is set to something else. New connections are taken, and hang.
    Hung,
    /// What clients send arrives, and no answer does; the connection stays open.
    HalfOpen,
    /// The next answer on each connection is thrown away, and the connection with it.
    AnswerLost,
    /// Connections are cut, and new ones at once.
    Cut,
}

pub struct Proxy {
    pub port: u16,
    pass: watch::Sender<Pass>,
    _stop: DropGuard,
}

impl Proxy {
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pass = watch::Sender::new(Pass::Through);
        let (stop, mode) = (CancellationToken::new(), pass.clone());
        let until = stop.clone();
        tokio::spawn(until.run_until_cancelled_owned(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *mode.borrow() != Pass::Cut {
                    tokio::spawn(connection(client, to, mode.subscribe()));
                }
            }
        }));
        Self { port, pass, _stop: stop.drop_guard() }
    }

    pub fn set(&self, pass: Pass) {
        self.pass.send_replace(pass);
    }
}

async fn connection(client: TcpStream, to: u16, mode: watch::Receiver<Pass>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // the first to end takes the other along
    tokio::select! {
        () = pump(from_client, to_server, mode.clone(), true) => {}
        () = pump(from_server, to_client, mode.clone(), false) => {}
        () = cut(mode) => {}
    }
}

async fn cut(mut mode: watch::Receiver<Pass>) {
    let _ = mode.wait_for(|pass| *pass == Pass::Cut).await;
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Pass>,
    asking: bool,
) {
    let mut piece = vec![0; 64 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else { return };
        let now = *mode.borrow_and_update();
        match now {
            Pass::Delayed(time) => sleep(time).await,
            Pass::AnswerLost if !asking => return,
            _ => {}
        }
        let held = |pass: &Pass| *pass == Pass::Hung || (*pass == Pass::HalfOpen && !asking);
        if mode.wait_for(|pass| !held(pass)).await.is_err() || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
