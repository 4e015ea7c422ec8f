//! Writes an encoding as lines of hex, each with the field that it is: the worked examples of the
//! protocol's page.

use data_encoding::HEXLOWER;
use hive_proto::codec;
use serde::ser::{self, Serialize};
use std::fmt;

/// Bytes of one line.
const WIDTH: usize = 24;

/// One field: its bytes and its name.
struct Line {
    bytes: Vec<u8>,
    name: String,
    byte: bool,
}

/// The lines of `value`'s encoding, each field under its path.
pub fn annotate<T: Serialize>(name: &str, value: &T) -> String {
    let mut fields = Fields {
        lines: Vec::new(),
        path: vec![name.to_owned()],
    };
    value.serialize(&mut fields).unwrap();
    let mut text = String::new();
    for Line { bytes, name, .. } in fields.lines {
        text += &line(&bytes, &name);
    }
    text
}

/// One field in lines.
pub fn line(bytes: &[u8], name: &str) -> String {
    let mut text = String::new();
    for (number, part) in bytes.chunks(WIDTH).enumerate() {
        let hex = HEXLOWER.encode(part);
        let last = (number + 1) * WIDTH >= bytes.len();
        if last {
            text += &format!("{hex:width$} # {name}\n", width = 2 * WIDTH);
        } else {
            text += &format!("{hex}\n");
        }
    }
    text
}

#[derive(Debug)]
struct NoError;

impl fmt::Display for NoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot happen")
    }
}

impl std::error::Error for NoError {}

impl ser::Error for NoError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Fields {
    lines: Vec<Line>,
    path: Vec<String>,
}

impl Fields {
    fn push(&mut self, bytes: Vec<u8>, note: &str) {
        let name = self.path.join(".") + note;
        self.lines.push(Line {
            bytes,
            name,
            byte: false,
        });
    }

    fn length(&mut self, length: usize) {
        self.push(codec::encode(&(length as u64)), ": length");
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        if !bytes.is_empty() {
            self.push(bytes.to_vec(), "");
        }
    }

    fn variant(&mut self, index: u32, variant: &str) {
        self.push(codec::encode(&index), &format!(": {variant}"));
    }

    fn under<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), NoError> {
        self.path.push(name.to_owned());
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }
}

/// A sequence in the making; one of single bytes becomes one line.
struct Elements<'a> {
    fields: &'a mut Fields,
    start: usize,
    number: usize,
}

impl<'a> Elements<'a> {
    fn new(fields: &'a mut Fields) -> Self {
        let start = fields.lines.len();
        Self {
            fields,
            start,
            number: 0,
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoError> {
        let name = self.number.to_string();
        self.number += 1;
        self.fields.under(&name, value)
    }

    fn finish(self) -> Result<(), NoError> {
        let lines = &mut self.fields.lines;
        if lines.len() > self.start && lines[self.start..].iter().all(|line| line.byte) {
            let bytes = lines.drain(self.start..).flat_map(|line| line.bytes);
            let bytes = bytes.collect();
            self.fields.push(bytes, "");
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, value: $type) -> Result<(), NoError> {
            self.push(codec::encode(&value), "");
            Ok(())
        })+
    };
}

impl<'a> ser::Serializer for &'a mut Fields {
    type Ok = ();
    type Error = NoError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Elements<'a>;
    type SerializeMap = ser::Impossible<(), NoError>;
    type SerializeStruct = Elements<'a>;
    type SerializeStructVariant = Elements<'a>;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64, serialize_char: char
    }

    fn serialize_u8(self, value: u8) -> Result<(), NoError> {
        self.push(vec![value], "");
        self.lines.iter_mut().last().unwrap().byte = true;
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), NoError> {
        self.raw(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NoError> {
        self.raw(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NoError> {
        self.push(vec![0], ": none");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoError> {
        self.push(vec![1], ": some");
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NoError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NoError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), NoError> {
        self.variant(index, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NoError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NoError> {
        self.variant(index, variant);
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Elements<'a>, NoError> {
        self.length(length.unwrap());
        Ok(Elements::new(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, NoError> {
        Ok(Elements::new(self))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, NoError> {
        Ok(Elements::new(self))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, NoError> {
        self.variant(index, variant);
        Ok(Elements::new(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoError> {
        Err(NoError)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, NoError> {
        Ok(Elements::new(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, NoError> {
        self.variant(index, variant);
        Ok(Elements::new(self))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! sequences {
    ($($trait:ident: $method:ident),+) => {
        $(impl ser::$trait for Elements<'_> {
            type Ok = ();
            type Error = NoError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoError> {
                self.element(value)
            }

            fn end(self) -> Result<(), NoError> {
                self.finish()
            }
        })+
    };
}

sequences! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! structs {
    ($($trait:ident),+) => {
        $(impl ser::$trait for Elements<'_> {
            type Ok = ();
            type Error = NoError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NoError> {
                self.fields.under(name, value)
            }

            fn end(self) -> Result<(), NoError> {
                Ok(())
            }
        })+
    };
}

structs! { SerializeStruct, SerializeStructVariant }
