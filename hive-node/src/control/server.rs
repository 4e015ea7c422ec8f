//! The agent's side of the control socket.

use super::line::{Line, read_line};
use super::{ControlError, Reply, Request, WireReply, parse};
use hive_types::Millis;
use hive_types::limits::{
    CONTROL_CONNECTIONS, CONTROL_IDLE, CONTROL_REPLY_BYTES, CONTROL_REQUEST_BYTES, CONTROL_TIMEOUT,
};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// A command on its way to the driver.
#[derive(Debug)]
pub struct Call {
    /// The command.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// The control socket can't be made.
#[derive(Debug, Error)]
pub enum BindError {
    /// An agent answers there.
    #[error("another agent listens on {}; stop that one first, or name another control_socket", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket has the name.
    #[error("{} is no socket; move it aside or name another control_socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("control socket {}: {reason}; name another control_socket, shorter than 100 characters, in a folder that you may write to", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// A bound control socket. Its file goes when this is dropped.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlServer {
    /// Makes the socket with mode 0600, in place of one that a dead agent left.
    ///
    /// # Errors
    /// [`BindError`] when an agent answers there, or the system refuses.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        clear(path)?;
        let failed = |reason| BindError::Io {
            path: path.into(),
            reason,
        };
        // Under its final name the socket never has any other mode than 0600.
        let mut early = path.as_os_str().to_owned();
        early.push(format!(".{}", std::process::id()));
        let early = PathBuf::from(early);
        let listener = UnixListener::bind(&early).map_err(failed)?;
        let placed = fs::set_permissions(&early, Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&early, path));
        if let Err(reason) = placed {
            // The error above says more than one about the leftover would.
            let _ = fs::remove_file(&early);
            return Err(failed(reason));
        }
        Ok(Self {
            listener,
            path: path.into(),
        })
    }

    /// Serves until the receiver of `calls` is gone or this is dropped.
    pub async fn serve(self, calls: mpsc::Sender<Call>) {
        let places = Arc::new(Semaphore::new(CONTROL_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = calls.closed() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(reason) => {
                    // Out of file descriptors, say: not the agent's end, and not a busy loop.
                    tracing::warn!(%reason, "control socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let place = places.clone().try_acquire_owned().ok();
            let calls = calls.clone();
            tokio::spawn(async move {
                let end = match place {
                    Some(_place) => converse(stream, &calls).await,
                    None => turn_away(stream).await,
                };
                if let Err(reason) = end {
                    tracing::debug!(%reason, "control connection ended");
                }
            });
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the socket of an agent that is no more.
fn clear(path: &Path) -> Result<(), BindError> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket(path.into()));
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(BindError::InUse(path.into()));
    }
    fs::remove_file(path).map_err(|reason| BindError::Io {
        path: path.into(),
        reason,
    })
}

async fn converse(stream: UnixStream, calls: &mpsc::Sender<Call>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let line = read_line(&mut reader, CONTROL_REQUEST_BYTES);
        let line = match tokio::time::timeout(span(CONTROL_IDLE), line).await {
            Err(_) => return Ok(()),
            Ok(line) => line?,
        };
        let reply = match line {
            Line::End => return Ok(()),
            Line::TooLong => {
                write(&mut writer, Err(too_long())).await?;
                return Ok(());
            }
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => match parse(&line) {
                Err(error) => Err(error),
                Ok(request) => ask(request, calls).await,
            },
        };
        write(&mut writer, reply).await?;
    }
}

async fn ask(request: Request, calls: &mpsc::Sender<Call>) -> Reply {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        let call = Call { request, reply };
        calls.send(call).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(span(CONTROL_TIMEOUT), asked).await {
        Ok(Some(reply)) => reply,
        Ok(None) => Err(ControlError::stopping()),
        Err(_) => Err(ControlError::new(
            "timeout",
            format!("no answer within {CONTROL_TIMEOUT}"),
            "look with hive-status and hive-log whether the command was done before repeating it",
        )),
    }
}

async fn turn_away(mut stream: UnixStream) -> io::Result<()> {
    let error = ControlError::new(
        "busy",
        format!("{CONTROL_CONNECTIONS} connections are open"),
        "close one, or try again in a moment",
    );
    write(&mut stream, Err(error)).await
}

async fn write(writer: &mut (impl AsyncWriteExt + Unpin), reply: Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(&WireReply::from(reply))?;
    if line.len() > CONTROL_REPLY_BYTES {
        let error = ControlError::new(
            "reply_too_large",
            format!("the answer has {} bytes", line.len()),
            "ask for less: most commands take a limit or a node",
        );
        line = serde_json::to_vec(&WireReply::Error(error))?;
    }
    line.push(b'\n');
    let written = tokio::time::timeout(span(CONTROL_IDLE), async {
        writer.write_all(&line).await?;
        writer.flush().await
    });
    written
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn too_long() -> ControlError {
    ControlError::new(
        "too_large",
        format!("the request has more than {CONTROL_REQUEST_BYTES} bytes"),
        "send one short JSON object per line",
    )
}

pub(super) fn span(millis: Millis) -> Duration {
    Duration::from_millis(millis.get())
}
