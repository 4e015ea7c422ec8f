//! The plugin's standard input, with word of its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

/// Reads on, and says when there is nothing more to come: lightningd is gone.
pub(crate) struct Watched<R> {
    inner: R,
    ended: watch::Sender<bool>,
}

impl<R> Watched<R> {
    /// `ended` becomes true at the end of `inner` or when it fails.
    pub(crate) fn new(inner: R, ended: watch::Sender<bool>) -> Self {
        Self { inner, ended }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let is_over = match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if is_over {
            self.ended.send_replace(true);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn the_end_is_told() {
        let (ended, told) = watch::channel(false);
        let mut input = Watched::new(&b"abc"[..], ended);
        let mut three = [0; 3];
        input.read_exact(&mut three).await.unwrap();
        assert!(!*told.borrow());
        assert_eq!(input.read(&mut three).await.unwrap(), 0);
        assert!(*told.borrow());
    }
}
