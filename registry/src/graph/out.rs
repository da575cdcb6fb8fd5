//! Where answers are written: in pieces that stay in the processor's cache until they are sent.

use bytes::Bytes;

/// One piece. Larger ones leave the cache before they reach the socket; smaller ones cost more system calls.
pub const PIECE: usize = 64 << 10;

/// How much room is left for one more node before a piece is closed.
const ROOM: usize = 2 << 10;

/// Pieces of an answer, the last one open.
#[derive(Debug, Default)]
pub struct Out {
    /// Closed pieces.
    closed: Vec<Bytes>,
    bytes: usize,
    /// The open piece.
    pub open: Vec<u8>,
}

impl Out {
    /// Room for an answer of about this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { closed: Vec::new(), bytes: 0, open: Vec::with_capacity(bytes.min(PIECE)) }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes + self.open.len()
    }

    /// Nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes the open piece when it is full. Called between nodes.
    pub fn breathe(&mut self) {
        if self.open.len() + ROOM > PIECE {
            let full = std::mem::replace(&mut self.open, Vec::with_capacity(PIECE));
            self.bytes += full.len();
            self.closed.push(full.into());
        }
    }

    /// All pieces.
    pub fn into_pieces(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.closed.push(self.open.into());
        }
        self.closed
    }

    /// The whole text, copied together: for tests.
    pub fn into_text(self) -> Vec<u8> {
        self.into_pieces().concat()
    }
}
