//! Text in columns, for terminals.

/// Columns as wide as their widest cell.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Name and value, one pair a line.
pub(crate) fn pairs(rows: Vec<(&str, String)>) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, value)| format!("{name:<width$}  {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Digits in groups of three: 80,000,000.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Millisatoshi as satoshi, to a tenth where that is more than nothing said.
pub(crate) fn sat_of_msat(msat: u64) -> String {
    let tenths = msat / 100;
    match tenths {
        0..1_000 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => grouped(tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec!["a".into(), "bb".into()],
            vec!["ccc".into(), "d".into()],
        ];
        assert_eq!(table(&["x", "y"], rows, "none"), "x    y\na    bb\nccc  d");
        assert_eq!(table(&["x"], Vec::new(), "none"), "none");
    }

    #[test]
    fn long_numbers_come_in_groups() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
        for (msat, text) in [
            (0, "0.0"),
            (99, "0.0"),
            (1_250, "1.2"),
            (99_999, "99.9"),
            (1_234_567, "1,234"),
        ] {
            assert_eq!(sat_of_msat(msat), text);
        }
    }
}
