//! A plugin that does nothing but hand notifications on, and the end that takes them: for programs that want
//! a [`ClnBackend`](crate::ClnBackend) in their own process, tests above all.
//!
//! The plugin connects to `hive-events.sock` in the node's folder of its network and writes one JSON object
//! per line, `{"topic": ..., "params": ...}`.

use crate::events::{Events, TOPICS};
use cln_plugin::{Builder, Plugin};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{self, UnboundedSender};

/// The socket's name within the node's folder of its network.
pub const SOCKET: &str = "hive-events.sock";

/// Runs the forwarding plugin until lightningd stops it.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(serve());
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("forwarding notifications: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), cln_plugin::Error> {
    let mut builder = Builder::new(tokio::io::stdin(), tokio::io::stdout())
        .dynamic()
        .with_logging(false);
    for topic in TOPICS {
        builder = builder.subscribe(
            topic,
            move |plugin: Plugin<UnboundedSender<Value>>, params| {
                // Nobody listens any more: then there is nobody to tell.
                let _ = plugin
                    .state()
                    .send(json!({"topic": topic, "params": params}));
                async { Ok(()) }
            },
        );
    }
    let Some(configured) = builder.configure().await? else {
        return Ok(());
    };
    let folder = configured.configuration().lightning_dir;
    let mut stream = UnixStream::connect(Path::new(&folder).join(SOCKET)).await?;
    let (lines, mut queue) = mpsc::unbounded_channel();
    let plugin = configured.start(lines).await?;
    let writing = async {
        while let Some(line) = queue.recv().await {
            let line = format!("{line}\n");
            stream.write_all(line.as_bytes()).await?;
        }
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        ended = writing => Ok(ended?),
        _ = plugin.join() => Ok(()),
    }
}

/// Listens in the node's folder and hands what comes to `events`, for as long as the program runs. Begins to
/// listen before it returns.
///
/// # Errors
/// When the socket can't be made.
pub fn listen(folder: &Path, events: Events) -> io::Result<()> {
    let path = folder.join(SOCKET);
    if let Err(reason) = std::fs::remove_file(&path)
        && reason.kind() != io::ErrorKind::NotFound
    {
        return Err(reason);
    }
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            events.begin_anew();
            tokio::spawn(take(stream, events.clone()));
        }
    });
    Ok(())
}

#[derive(Deserialize)]
struct Told {
    topic: String,
    params: Value,
}

async fn take(stream: UnixStream, events: Events) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(Told { topic, params }) = serde_json::from_str(&line) {
            events.notify(&topic, &params);
        }
    }
}
