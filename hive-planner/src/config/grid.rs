//! A few values to try.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Values in a [`Grid`]: each multiplies the time of a plan.
const MOST: usize = 8;

/// At most eight values, in order and each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grid<T> {
    values: [T; MOST],
    count: usize,
}

/// More values than a [`Grid`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} values to try are too many; give at most eight")]
pub struct GridError(usize);

impl<T: Copy + Default + Ord> Grid<T> {
    /// Sorts the values and drops repeats.
    ///
    /// # Errors
    /// [`GridError`] above eight values.
    pub fn new(values: &[T]) -> Result<Self, GridError> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() > MOST {
            return Err(GridError(sorted.len()));
        }
        let mut grid = Self {
            count: sorted.len(),
            ..Self::default()
        };
        for (place, value) in grid.values.iter_mut().zip(sorted) {
            *place = value;
        }
        Ok(grid)
    }

    /// The values, the smallest first.
    pub fn values(&self) -> &[T] {
        &self.values[..self.count]
    }
}

impl<T: Serialize> Serialize for Grid<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values[..self.count].serialize(serializer)
    }
}

impl<'de, T: Copy + Default + Ord + Deserialize<'de>> Deserialize<'de> for Grid<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::deserialize(deserializer)?;
        Self::new(&values).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_few_and_in_order() {
        let grid = Grid::new(&[3, 1, 3, 2]).unwrap();
        assert_eq!(grid.values(), [1, 2, 3]);
        assert_eq!(Grid::new(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), Err(GridError(9)));
        let json = serde_json::to_string(&grid).unwrap();
        assert_eq!(json, "[1,2,3]");
        assert_eq!(serde_json::from_str::<Grid<i32>>(&json).unwrap(), grid);
    }
}
