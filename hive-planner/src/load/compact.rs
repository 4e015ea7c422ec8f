//! Two CSV tables, one of nodes and one of channels: a tenth of the JSON forms' size.

use super::about::About;
use super::{LoadError, Loaded};
use crate::graph::{BuildError, GraphBuilder};
use core::net::Ipv4Addr;
use core::str::FromStr;
use csv::{Reader, StringRecord};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use std::collections::BTreeMap;
use std::io::Read;

const NODES: &str = "the nodes table";
const CHANNELS: &str = "the channels table";

/// Reads a graph from two CSV tables with header rows.
///
/// Nodes: `idx` (the number that channels use) and `pubkey`; where they are there, `alias`,
/// `merchant` (a set of bits, one for each list that names the node; 0 or empty: none does) and
/// `ip16` (the first two octets of an IPv4 address, as `3.230`). Channels: `id` (`BLOCKxTXxOUT`, or an
/// ordinal N, which becomes the short channel id of that number), `node1`, `node2`, `capacity_sat`,
/// and for each direction `_12` (set by `node1`) and `_21`: `state` (`on`, `off` or `none`),
/// `base_msat`, `ppm`, `cltv`, `hmin_msat`, `hmax_msat`, `in_base_msat`, `in_ppm`, all empty when
/// the state is `none`. Other columns are passed over.
///
/// # Errors
/// [`LoadError::Csv`], [`LoadError::Column`], [`LoadError::Field`] and [`LoadError::Inconsistent`],
/// with the line.
pub fn load_csv(nodes: impl Read, channels: impl Read) -> Result<Loaded, LoadError> {
    let (mut builder, mut about) = (GraphBuilder::new(), About::default());
    let ids = read_nodes(nodes, &mut builder, &mut about)?;
    let mut table = Table::open(CHANNELS, channels)?;
    let columns = ChannelColumns {
        id: table.column("id")?,
        nodes: [table.column("node1")?, table.column("node2")?],
        capacity: table.column("capacity_sat")?,
        policies: [
            PolicyColumns::find(&table, POLICY_COLUMNS[0])?,
            PolicyColumns::find(&table, POLICY_COLUMNS[1])?,
        ],
    };
    while table.next()? {
        read_channel(&table, &columns, &ids, &mut builder)?;
    }
    Ok(Loaded::of(builder, about))
}

fn read_nodes(
    nodes: impl Read,
    builder: &mut GraphBuilder,
    about: &mut About,
) -> Result<BTreeMap<u32, NodeId>, LoadError> {
    let mut table = Table::open(NODES, nodes)?;
    let (idx, pubkey) = (table.column("idx")?, table.column("pubkey")?);
    let notes = NoteColumns {
        alias: table.find("alias"),
        merchant: table.find("merchant"),
        ip16: table.find("ip16"),
    };
    let mut ids = BTreeMap::new();
    while table.next()? {
        let id: NodeId = table.parse(pubkey, "a node id of 66 hex digits")?;
        if ids.insert(table.parse(idx, WHOLE)?, id).is_some() {
            return Err(table.field(idx, "a number that no line before has"));
        }
        builder.add_node(id);
        notes.read(&table, id, about)?;
    }
    Ok(ids)
}

/// Columns that a nodes table may lack.
struct NoteColumns {
    alias: Option<Column>,
    merchant: Option<Column>,
    ip16: Option<Column>,
}

impl NoteColumns {
    fn read<R: Read>(
        &self,
        table: &Table<R>,
        node: NodeId,
        about: &mut About,
    ) -> Result<(), LoadError> {
        let filled = |column: Option<Column>| column.filter(|c| !table.text(*c).is_empty());
        if let Some(column) = filled(self.alias) {
            about.add_alias(node, table.text(column));
        }
        if let Some(column) = filled(self.merchant)
            && table.parse::<u32>(column, WHOLE)? != 0
        {
            about.merchants.insert(node);
        }
        if let Some(column) = filled(self.ip16) {
            let whole = format!("{}.0.0", table.text(column));
            let parsed: Result<Ipv4Addr, _> = whole.parse();
            let address = parsed.map_err(|_| table.field(column, "two octets, as 3.230"))?;
            about.add_address(node, address);
        }
        Ok(())
    }
}

fn read_channel<R: Read>(
    table: &Table<R>,
    columns: &ChannelColumns,
    ids: &BTreeMap<u32, NodeId>,
    builder: &mut GraphBuilder,
) -> Result<(), LoadError> {
    let scid = read_scid(table, columns.id)?;
    let end = |column: Column| {
        let known = ids.get(&table.parse(column, WHOLE)?).copied();
        known.ok_or_else(|| table.field(column, "an `idx` of the nodes table"))
    };
    let ends = [end(columns.nodes[0])?, end(columns.nodes[1])?];
    if builder.has_channel(scid) {
        return Err(table.field(columns.id, "an id that no line before has"));
    }
    let capacity = Sat::new(table.parse(columns.capacity, WHOLE)?);
    let inconsistent = |source: BuildError| LoadError::Inconsistent {
        input: CHANNELS,
        place: table.place(),
        source,
    };
    builder
        .add_channel(scid, ends, capacity)
        .map_err(inconsistent)?;
    for (from, columns) in ends.into_iter().zip(&columns.policies) {
        if let Some(policy) = columns.read(table)? {
            let set = builder.set_policy(scid, from, &policy);
            set.map_err(inconsistent)?;
        }
    }
    Ok(())
}

fn read_scid<R: Read>(table: &Table<R>, column: Column) -> Result<ShortChannelId, LoadError> {
    const EXPECTED: &str = "BLOCKxTXxOUT or a whole number";
    if table.text(column).contains('x') {
        return table.parse(column, EXPECTED);
    }
    table.parse(column, EXPECTED).map(ShortChannelId::from_u64)
}

struct ChannelColumns {
    id: Column,
    nodes: [Column; 2],
    capacity: Column,
    policies: [PolicyColumns; 2],
}

/// The columns of both directions, in the order of [`PolicyColumns`].
const POLICY_COLUMNS: [[&str; 8]; 2] = [
    [
        "state_12",
        "base_msat_12",
        "ppm_12",
        "cltv_12",
        "hmin_msat_12",
        "hmax_msat_12",
        "in_base_msat_12",
        "in_ppm_12",
    ],
    [
        "state_21",
        "base_msat_21",
        "ppm_21",
        "cltv_21",
        "hmin_msat_21",
        "hmax_msat_21",
        "in_base_msat_21",
        "in_ppm_21",
    ],
];

struct PolicyColumns {
    state: Column,
    base: Column,
    rate: Column,
    cltv: Column,
    minimum: Column,
    maximum: Column,
    inbound_base: Column,
    inbound_rate: Column,
}

impl PolicyColumns {
    fn find<R: Read>(table: &Table<R>, names: [&'static str; 8]) -> Result<Self, LoadError> {
        let [
            state,
            base,
            rate,
            cltv,
            minimum,
            maximum,
            inbound_base,
            inbound_rate,
        ] = names;
        Ok(Self {
            state: table.column(state)?,
            base: table.column(base)?,
            rate: table.column(rate)?,
            cltv: table.column(cltv)?,
            minimum: table.column(minimum)?,
            maximum: table.column(maximum)?,
            inbound_base: table.column(inbound_base)?,
            inbound_rate: table.column(inbound_rate)?,
        })
    }

    fn read<R: Read>(&self, table: &Table<R>) -> Result<Option<ChannelPolicy>, LoadError> {
        let disabled = match table.text(self.state) {
            "none" => return Ok(None),
            "on" => false,
            "off" => true,
            _ => return Err(table.field(self.state, "on, off or none")),
        };
        Ok(Some(ChannelPolicy {
            base: Msat::new(table.parse(self.base, WHOLE)?),
            rate: Ppm::new(table.parse(self.rate, WHOLE)?),
            cltv_delta: table.parse(self.cltv, WHOLE)?,
            htlc_minimum: Msat::new(table.parse(self.minimum, WHOLE)?),
            htlc_maximum: Msat::new(table.parse(self.maximum, WHOLE)?),
            disabled,
            inbound_base_msat: table.parse(self.inbound_base, SIGNED)?,
            inbound_ppm: table.parse(self.inbound_rate, SIGNED)?,
        }))
    }
}

const WHOLE: &str = "a whole number that fits its field";
const SIGNED: &str = "a whole number of 32 bits, negative ones too";

#[derive(Clone, Copy)]
struct Column {
    place: usize,
    name: &'static str,
}

/// A CSV table at one of its lines.
struct Table<R> {
    input: &'static str,
    reader: Reader<R>,
    header: StringRecord,
    line: StringRecord,
}

impl<R: Read> Table<R> {
    fn open(input: &'static str, from: R) -> Result<Self, LoadError> {
        let mut reader = Reader::from_reader(from);
        let header = reader.headers().cloned();
        Ok(Self {
            input,
            header: header.map_err(|source| LoadError::Csv { input, source })?,
            reader,
            line: StringRecord::new(),
        })
    }

    fn column(&self, name: &'static str) -> Result<Column, LoadError> {
        self.find(name).ok_or(LoadError::Column {
            input: self.input,
            column: name,
        })
    }

    fn find(&self, name: &'static str) -> Option<Column> {
        let place = self.header.iter().position(|column| column == name)?;
        Some(Column { place, name })
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        let input = self.input;
        let read = self.reader.read_record(&mut self.line);
        read.map_err(|source| LoadError::Csv { input, source })
    }

    /// Every line has as many fields as the header: the reader sees to it.
    fn text(&self, column: Column) -> &str {
        self.line.get(column.place).unwrap_or_default()
    }

    fn parse<T: FromStr>(&self, column: Column, expected: &'static str) -> Result<T, LoadError> {
        let parsed = self.text(column).parse();
        parsed.map_err(|_| self.field(column, expected))
    }

    fn field(&self, column: Column, expected: &'static str) -> LoadError {
        LoadError::Field {
            input: self.input,
            place: self.place(),
            field: column.name,
            value: self.text(column).into(),
            expected,
        }
    }

    fn place(&self) -> String {
        let line = self.line.position().map_or(0, csv::Position::line);
        format!("line {line}")
    }
}
