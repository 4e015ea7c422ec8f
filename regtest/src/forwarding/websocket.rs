//! As much of a WebSocket client (RFC 6455) as LND's REST interface on loopback needs: text, pings, the end.

use crate::failure::{Context, Outcome, ensure, wrong};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

/// Larger messages are not expected from a node in a test.
const LARGEST: u64 = 1 << 20;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The way out.
#[derive(Debug)]
pub(super) struct Sender(TcpStream);

/// The way in.
#[derive(Debug)]
pub(super) struct Receiver {
    input: BufReader<TcpStream>,
    pongs: Sender,
}

/// Opens a WebSocket without TLS.
pub(super) fn open(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Outcome<(Sender, Receiver)> {
    let stream = TcpStream::connect(address).during(address)?;
    let mut sender = Sender(stream);
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    sender.0.write_all(request.as_bytes()).during(address)?;
    let mut receiver = Receiver {
        input: BufReader::new(sender.another()?.0),
        pongs: sender.another()?,
    };
    let status = receiver.line()?;
    ensure(status.contains(" 101 "), || {
        format!("{address}{path}: {status}")
    })?;
    while !receiver.line()?.trim().is_empty() {}
    Ok((sender, receiver))
}

impl Sender {
    /// The same connection.
    pub(super) fn another(&self) -> Outcome<Self> {
        self.0.try_clone().map(Self).during("a socket")
    }

    /// Sends a text.
    pub(super) fn text(&mut self, text: &str) -> Outcome {
        self.frame(TEXT, text.as_bytes())
    }

    /// Ends the connection.
    pub(super) fn close(&mut self) {
        // It may have ended already.
        let _ = self.frame(CLOSE, &[]);
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// One whole frame. The mask, which guards proxies against scripts, is zero: nothing lies between.
    fn frame(&mut self, kind: u8, payload: &[u8]) -> Outcome {
        let mut frame = vec![0x80 | kind];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).during("sending")
    }
}

impl Receiver {
    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.input.read_line(&mut line).during("the answer")?;
        ensure(line.ends_with('\n'), || "the node hung up".into())?;
        Ok(line)
    }

    /// The next text; pings are answered meanwhile.
    pub(super) fn text(&mut self) -> Outcome<String> {
        let mut text = Vec::new();
        loop {
            let [first, second] = self.bytes()?;
            let length = match second & 0x7f {
                126 => u64::from(u16::from_be_bytes(self.bytes()?)),
                127 => u64::from_be_bytes(self.bytes()?),
                length => u64::from(length),
            };
            ensure(length <= LARGEST, || format!("a frame of {length} bytes"))?;
            let mut payload = vec![0; usize::try_from(length).during("a length")?];
            self.input.read_exact(&mut payload).during("a frame")?;
            match first & 0x0f {
                CLOSE => return wrong("closed"),
                PING => self.pongs.frame(PONG, &payload)?,
                PONG => {}
                _ => {
                    text.extend(payload);
                    if first & 0x80 != 0 {
                        return String::from_utf8(text).during("a text");
                    }
                }
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).during("a frame")?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn texts_come_whole_and_pings_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut input = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                input.read_line(&mut line).unwrap();
            }
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                .unwrap();
            // A text in two parts with a ping between them.
            stream
                .write_all(&[0x01, 2, b'h', b'i', 0x89, 1, b'?', 0x80, 1, b'!'])
                .unwrap();
            let mut pong = [0; 7];
            input.read_exact(&mut pong).unwrap();
            let mut said = [0; 6 + 4];
            input.read_exact(&mut said).unwrap();
            (pong, said)
        });
        let (mut sender, mut receiver) = open(&address, "/", &[("Name", "value")]).unwrap();
        assert_eq!(receiver.text().unwrap(), "hi!");
        sender.text("back").unwrap();
        let (pong, said) = server.join().unwrap();
        assert_eq!(pong, [0x8a, 0x81, 0, 0, 0, 0, b'?']);
        assert_eq!(said, *b"\x81\x84\0\0\0\0back");
        assert!(receiver.text().is_err(), "the server has gone");
    }
}
