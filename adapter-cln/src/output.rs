//! The plugin's standard output: one writer for answers and log lines, whole messages only.
//!
//! Whoever has something to say never waits for lightningd to read: answers queue up, as many as lightningd
//! asked for, and log lines are dropped and counted when too many wait.

use crate::limits::LOG_LINES;
use serde_json::json;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{self, error::TrySendError};

/// What stands between two messages.
const SEPARATOR: &[u8] = b"\n\n";

/// How long the last words of a process that breaks down are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where answers are written to.
pub(crate) struct Answers {
    buffer: Vec<u8>,
    queue: mpsc::UnboundedSender<Vec<u8>>,
}

impl AsyncWrite for Answers {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.buffer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.buffer.is_empty() {
            let bytes = std::mem::take(&mut self.buffer);
            let sent = self.queue.send(bytes);
            return Poll::Ready(sent.map_err(|_| io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

/// The levels that lightningd's log knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

enum Line {
    Text(Level, String),
    /// Everything before this is written.
    Flushed(std::sync::mpsc::Sender<()>),
}

/// Where log lines go. Clones share one queue.
#[derive(Clone)]
pub(crate) struct LogLines {
    queue: mpsc::Sender<Line>,
    dropped: Arc<AtomicU64>,
}

impl LogLines {
    /// Puts a line into the queue, or counts it as dropped.
    pub(crate) fn put(&self, level: Level, text: String) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Line::Text(level, text)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, a second at most, until what was put before is written. For the way out only.
    pub(crate) fn flush(&self) {
        let (sender, written) = std::sync::mpsc::channel();
        if self.queue.try_send(Line::Flushed(sender)).is_ok() {
            // Whether or not: the process ends now.
            let _ = written.recv_timeout(LAST_WORDS);
        }
    }
}

/// Starts the writer. It ends when `out` fails, which means that lightningd is gone.
pub(crate) fn spawn(out: impl AsyncWrite + Send + Unpin + 'static) -> (Answers, LogLines) {
    let (answers, from_answers) = mpsc::unbounded_channel();
    let (lines, from_lines) = mpsc::channel(LOG_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = dropped.clone();
    tokio::spawn(async move {
        // The reader of the other pipe sees the same end and stops the plugin.
        let _ = write(out, from_answers, from_lines, &counted).await;
    });
    let answers = Answers {
        buffer: Vec::new(),
        queue: answers,
    };
    let queue = lines;
    (answers, LogLines { queue, dropped })
}

async fn write(
    mut out: impl AsyncWrite + Unpin,
    mut answers: mpsc::UnboundedReceiver<Vec<u8>>,
    mut lines: mpsc::Receiver<Line>,
    dropped: &AtomicU64,
) -> io::Result<()> {
    loop {
        tokio::select! {
            biased;
            Some(bytes) = answers.recv() => out.write_all(&bytes).await?,
            Some(line) = lines.recv() => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let text = format!("{lost} lines of log were dropped: too many at once");
                    out.write_all(&log_line(Level::Warn, &text)).await?;
                }
                match line {
                    Line::Text(level, text) => out.write_all(&log_line(level, &text)).await?,
                    Line::Flushed(told) => {
                        out.flush().await?;
                        // Nobody waits any more: as well.
                        let _ = told.send(());
                    }
                }
            }
            else => return Ok(()),
        }
        out.flush().await?;
    }
}

fn log_line(level: Level, text: &str) -> Vec<u8> {
    let params = json!({"level": level.as_str(), "message": text});
    let line = json!({"jsonrpc": "2.0", "method": "log", "params": params});
    let mut bytes = line.to_string().into_bytes();
    bytes.extend_from_slice(SEPARATOR);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// A node that reads nothing makes nobody wait, and nothing of what it reads later is broken.
    #[tokio::test]
    async fn a_full_pipe_holds_nobody_up() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let (mut answers, lines) = spawn(ours);
        for number in 0..3 * LOG_LINES {
            lines.put(Level::Info, format!("line {number}"));
        }
        answers.write_all(b"{\"id\":1}\n\n").await.unwrap();
        answers.flush().await.unwrap();
        drop((answers, lines));
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        let messages = text.split("\n\n").filter(|text| !text.is_empty());
        let messages: Vec<serde_json::Value> = messages
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        assert!(messages.iter().any(|message| message["id"] == 1));
        let said = |message: &serde_json::Value| message["params"]["message"].to_string();
        assert!(
            messages
                .iter()
                .any(|one| said(one).contains("were dropped"))
        );
        assert!(messages.len() <= LOG_LINES + 4, "{}", messages.len());
    }
}
