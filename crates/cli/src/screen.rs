//! Error messages that fit one screen.

/// Lines of a screen.
pub(crate) const LINES: usize = 24;
/// Characters of a line.
pub(crate) const COLUMNS: usize = 100;

/// `problems`, each wrapped to [`COLUMNS`], at most [`LINES`] lines together; says how many problems did not fit.
pub(crate) fn fit(problems: &[String]) -> String {
    let blocks: Vec<Vec<String>> = problems.iter().map(|p| wrap(p)).collect();
    let total: usize = blocks.iter().map(Vec::len).sum();
    let mut lines: Vec<String> = Vec::new();
    if total <= LINES {
        lines.extend(blocks.into_iter().flatten());
    } else {
        let mut shown = 0;
        for block in blocks {
            if lines.len() + block.len() >= LINES && shown > 0 {
                break;
            }
            lines.extend(block);
            shown += 1;
        }
        lines.truncate(LINES - 1);
        let left = problems.len() - shown;
        lines.push(if left > 0 { format!("... and {left} more") } else { "...".to_owned() });
    }
    lines.join("\n")
}

/// One problem as lines; control characters, which a broken file may bring in, are escaped.
fn wrap(problem: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in problem.trim_end().lines() {
        let clean: String = line.chars().flat_map(printable).collect();
        let mut rest: Vec<char> = clean.trim_end().chars().collect();
        while rest.len() > COLUMNS {
            // Break at the last space of the line, or within a word that fills it.
            let space = rest[..COLUMNS].iter().rposition(|c| *c == ' ').filter(|at| *at > COLUMNS / 2);
            let at = space.unwrap_or(COLUMNS);
            let tail: Vec<char> = rest[at..].iter().copied().skip_while(|c| *c == ' ').collect();
            lines.push(rest[..at].iter().collect());
            rest = "    ".chars().chain(tail).collect();
        }
        lines.push(rest.into_iter().collect());
    }
    lines
}

fn printable(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(text: &str) {
        assert!(text.lines().count() <= LINES, "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= COLUMNS), "{text}");
    }

    #[test]
    fn everything_fits_one_screen() {
        fits(&fit(&["x".repeat(10_000)]));
        fits(&fit(&["word ".repeat(1_000)]));
        let many: Vec<String> = (0..90).map(|i| format!("problem {i}")).collect();
        let text = fit(&many);
        fits(&text);
        assert!(text.ends_with("... and 67 more"), "{text}");
        assert_eq!(fit(&["a".into(), "b".into()]), "a\nb");
    }

    #[test]
    fn long_lines_break_at_spaces_and_lose_nothing() {
        let text = fit(&[format!("{} {}", "a".repeat(80), "b".repeat(40))]);
        assert_eq!(text, format!("{}\n    {}", "a".repeat(80), "b".repeat(40)));
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(fit(&["found \u{1b}[31m\0".into()]), "found \\u{1b}[31m\\u{0}");
    }
}
