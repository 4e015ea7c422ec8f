//! A server on loopback that answers by a script, good and bad, over TCP, TLS or as a SOCKS5 proxy.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Method, target and version.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The name that a SOCKS5 proxy was asked for.
    pub(crate) asked_for: Option<String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status, extra header lines, body.
    Http(u16, Vec<String>, Vec<u8>),
    /// Bytes that are no HTTP.
    Raw(Vec<u8>),
    /// As many bytes of body as the client takes.
    Flood(usize),
    /// Nothing, with the connection open.
    Hang,
    /// A status and a part of the body, then nothing, with the connection open.
    HangInBody,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Http(status, vec![], vec![])
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::Http(status, vec![format!("Location: {to}")], vec![])
    }
}

/// How bytes travel to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Plain,
    /// TLS with this key pair under `tests/data`.
    Tls(&'static str),
    Socks,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by the script.
    pub(crate) fn start(
        speaks: Speaks,
        script: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = seen.clone();
        let script = Arc::new(Mutex::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, script) = (kept.clone(), script.clone());
                // A client that hangs up is what half of the tests are about.
                std::thread::spawn(move || serve(stream, speaks, &seen, &script));
            }
        });
        Self { port, seen }
    }

    /// Answers each request with the next of these, and with the last one for ever.
    pub(crate) fn answering(answers: Vec<Answer>) -> Self {
        let mut left = answers.into_iter().peekable();
        let mut last = Answer::Hang;
        Self::start(Speaks::Plain, move |_| {
            last = left.next().unwrap_or(last.clone());
            last.clone()
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/path", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

/// A file of test keys and certificates.
pub(crate) fn data(name: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/data").join(name)
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn serve<S: FnMut(&Request) -> Answer>(
    mut stream: TcpStream,
    speaks: Speaks,
    seen: &Mutex<Vec<Request>>,
    script: &Mutex<S>,
) -> Option<()> {
    let mut asked_for = None;
    if speaks == Speaks::Socks {
        asked_for = Some(socks(&mut stream)?);
    }
    let mut stream: Box<dyn Stream> = match speaks {
        Speaks::Tls(name) => {
            let connection = rustls::ServerConnection::new(tls(name)).ok()?;
            Box::new(rustls::StreamOwned::new(connection, stream))
        }
        Speaks::Plain | Speaks::Socks => Box::new(stream),
    };
    let mut request = read(&mut stream)?;
    request.asked_for = asked_for;
    let answer = (script.lock().unwrap())(&request);
    seen.lock().unwrap().push(request);
    write(&mut stream, answer).ok()
}

fn read(stream: &mut dyn Stream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let split = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    });
    let mut request = Request {
        line,
        headers: split.collect(),
        body: vec![],
        asked_for: None,
    };
    let length: usize = request.header("content-length").parse().ok()?;
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn write(stream: &mut dyn Stream, answer: Answer) -> std::io::Result<()> {
    let head = |status: u16, length: usize| {
        format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n")
    };
    match answer {
        Answer::Http(status, extra, body) => {
            let mut text = head(status, body.len());
            for line in extra {
                text.push_str(&format!("{line}\r\n"));
            }
            stream.write_all(format!("{text}\r\n").as_bytes())?;
            stream.write_all(&body)?;
        }
        Answer::Raw(bytes) => stream.write_all(&bytes)?,
        Answer::Flood(length) => {
            stream.write_all(format!("{}\r\n", head(200, length)).as_bytes())?;
            let part = [b'x'; 64 * 1024];
            for _ in 0..length / part.len() {
                stream.write_all(&part)?;
            }
        }
        Answer::Hang => return hold(stream),
        Answer::HangInBody => {
            stream.write_all(format!("{}\r\nabc", head(200, 100)).as_bytes())?;
            stream.flush()?;
            return hold(stream);
        }
    }
    stream.flush()
}

/// Until the client hangs up.
fn hold(stream: &mut dyn Stream) -> std::io::Result<()> {
    let mut nothing = [0; 64];
    while stream.read(&mut nothing)? > 0 {}
    Ok(())
}

/// RFC 1928: the name that the client asks for.
fn socks(stream: &mut TcpStream) -> Option<String> {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).ok()?;
    let mut methods = vec![0; greeting[1].into()];
    stream.read_exact(&mut methods).ok()?;
    stream.write_all(&[5, 0]).ok()?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).ok()?;
    let name = match request {
        [5, 1, 0, 3] => {
            let mut length = [0; 1];
            stream.read_exact(&mut length).ok()?;
            let mut name = vec![0; length[0].into()];
            stream.read_exact(&mut name).ok()?;
            String::from_utf8(name).ok()?
        }
        // A name that was looked up before: who does so tells the world whom it asks for.
        other => format!("no name but {other:?}"),
    };
    let mut port = [0; 2];
    stream.read_exact(&mut port).ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(name)
}

fn tls(name: &str) -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_file(data(&format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(data(&format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}
