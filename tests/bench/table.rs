//! Tables as text, and in Markdown.

/// A head and rows as text of columns.
pub fn table(head: Vec<String>, rows: impl Iterator<Item = Vec<String>>, markdown: bool) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let (open, between, close) = if markdown { ("| ", " | ", " |") } else { ("", "  ", "") };
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        text += &[open, &cells.join(between), close, "\n"].concat();
        if number == 0 && markdown {
            let rule = |column: usize| if column == 0 { "---" } else { "---:" };
            let rules: Vec<&str> = (0..widths.len()).map(rule).collect();
            text += &["|", &rules.join("|"), "|\n"].concat();
        }
    }
    text
}

/// Digits in groups of three.
pub fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
