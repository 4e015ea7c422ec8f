//! Lines of bounded length.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end; the last one may lack it.
    Whole(Vec<u8>),
    /// More than the limit came without an end of line.
    TooLong,
    /// The other side closed.
    End,
}

/// Reads up to the next end of line, holding at most `limit` bytes.
pub(crate) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(match line.is_empty() {
                true => Line::End,
                false => Line::Whole(line),
            });
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer.split_at(end.unwrap_or(buffer.len())).0;
        if line.len() + part.len() > limit {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(part);
        let taken = part.len() + usize::from(end.is_some());
        reader.consume(taken);
        if end.is_some() {
            return Ok(Line::Whole(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn lines_are_bounded() {
        let mut reader = BufReader::with_capacity(3, &b"abcd\n\nefgh"[..]);
        let mut next = async || read_line(&mut reader, 4).await.unwrap();
        assert_eq!(next().await, Line::Whole(b"abcd".into()));
        assert_eq!(next().await, Line::Whole(Vec::new()));
        assert_eq!(next().await, Line::Whole(b"efgh".into()));
        assert_eq!(next().await, Line::End);
        let mut reader = BufReader::with_capacity(3, &b"abcde\n"[..]);
        assert_eq!(read_line(&mut reader, 4).await.unwrap(), Line::TooLong);
    }
}
