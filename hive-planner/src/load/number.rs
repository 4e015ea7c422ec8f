//! Numbers that some versions write as text: LND quotes 64-bit numbers, older Core Lightning adds
//! the unit.

use core::fmt;
use core::marker::PhantomData;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A whole number, written bare, in quotes, or in quotes with `msat` behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number<T>(pub(super) T);

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> NumberVisitor<T> {
    fn fit<E: Error>(&self, wide: i128) -> Result<Number<T>, E> {
        let narrow = T::try_from(wide).ok().map(Number);
        narrow.ok_or_else(|| E::custom(format_args!("{wide} is out of range")))
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for NumberVisitor<T> {
    type Value = Number<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, bare or in quotes")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.fit(i128::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.fit(i128::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        let digits = value.strip_suffix("msat").unwrap_or(value);
        let wide = digits.parse::<i128>();
        let wide = wide.map_err(|_| E::invalid_value(serde::de::Unexpected::Str(value), &self))?;
        self.fit(wide)
    }
}
