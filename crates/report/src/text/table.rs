//! A table as text, and what has to be escaped in it.

use super::TableFormat;

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextTable {
    pub caption: String,
    pub heads: Vec<String>,
    /// How many of the first columns are words; the others are numbers.
    pub words: usize,
    /// Rows that belong together. Parts without rows are left out.
    pub parts: Vec<Part>,
}

/// Rows with a title above them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub title: Option<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// Columns that fit one column of text.
const NARROW: usize = 5;

impl TextTable {
    /// The table with a line end after it.
    pub(crate) fn write(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Markdown => self.markdown(),
            TableFormat::Latex => self.latex(),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !part.rows.is_empty())
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |cells: &[String]| line(cells.iter().map(|cell| markdown(cell)).collect());
        let rule = (0..self.heads.len()).map(|i| if i < self.words { ":--" } else { "--:" }.to_owned());
        let mut text =
            format!("{}\n\n{}{}", markdown(&self.caption), escaped(&self.heads), line(rule.collect()));
        for part in self.parts() {
            if let Some(title) = part.title {
                let mut cells = vec![String::new(); self.heads.len()];
                cells[0] = format!("**{title}**");
                text += &line(cells);
            }
            part.rows.iter().for_each(|row| text += &escaped(row));
        }
        text
    }

    fn latex(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| latex(cell)).collect();
            format!("{} \\\\\n", cells.join(" & "))
        };
        let n = self.heads.len();
        // A wide one takes both columns of a page.
        let table = if n > NARROW { "table*" } else { "table" };
        let columns = format!("{}{}", "l".repeat(self.words), "r".repeat(n - self.words));
        let mut text = format!(
            "\\begin{{{table}}}\n\\centering\n\\small\n\\setlength{{\\tabcolsep}}{{4pt}}\n\
             \\caption{{{}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{}",
            latex(&self.caption),
            line(&self.heads)
        );
        for part in self.parts() {
            text += "\\midrule\n";
            if let Some(title) = part.title {
                text += &format!("\\multicolumn{{{n}}}{{l}}{{\\textit{{{title}}}}} \\\\\n");
            }
            part.rows.iter().for_each(|row| text += &line(row));
        }
        text + &format!("\\bottomrule\n\\end{{tabular}}\n\\end{{{table}}}\n")
    }
}

/// Text in a cell of GitHub's Markdown: nothing in it is markup, and it stays in its cell.
fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A name that begins with it would call for somebody.
            '@' => out.push_str("&#64;"),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '~' | '#' | '$' | '!' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text in a cell of LaTeX.
fn latex(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("''"),
            '\u{2212}' => out.push_str("$-$"),
            '–' => out.push_str("--"),
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => out.extend(['\\', c]),
            // After the end of a line a bracket would be its optional argument.
            '[' | ']' => out.extend(['{', c, '}']),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TextTable {
        let row = |name: &str, score: &str| vec![name.to_owned(), score.to_owned()];
        TextTable {
            caption: "A & B".to_owned(),
            heads: vec!["Arm".to_owned(), "Return %".to_owned()],
            words: 1,
            parts: vec![
                Part { title: None, rows: vec![row(name, "\u{2212}1.5%"), row("b", "–")] },
                Part { title: Some("Baselines"), rows: vec![row("hold", "2%")] },
                Part { title: Some("Controls"), rows: Vec::new() },
            ],
        }
    }

    #[test]
    fn markdown_as_it_is_written() {
        let expected = "A &amp; B\n\n\
            | Arm | Return % |\n| :-- | --: |\n\
            | x\\_1=\\|2\\| | \u{2212}1.5% |\n| b | – |\n| **Baselines** |  |\n| hold | 2% |\n";
        assert_eq!(table("x_1=|2|").write(TableFormat::Markdown), expected);
    }

    #[test]
    fn latex_as_it_is_written() {
        let expected = "\\begin{table}\n\\centering\n\\small\n\\setlength{\\tabcolsep}{4pt}\n\
            \\caption{A \\& B}\n\\begin{tabular}{lr}\n\\toprule\n\
            Arm & Return \\% \\\\\n\\midrule\nx\\_1=\\textbar{}2\\textbar{} & $-$1.5\\% \\\\\nb & -- \\\\\n\
            \\midrule\n\\multicolumn{2}{l}{\\textit{Baselines}} \\\\\nhold & 2\\% \\\\\n\
            \\bottomrule\n\\end{tabular}\n\\end{table}\n";
        assert_eq!(table("x_1=|2|").write(TableFormat::Latex), expected);
    }

    #[test]
    fn no_name_is_markup() {
        assert_eq!(
            markdown("<script>\n@me `a` *b* [c](d) #1 \\|"),
            "&lt;script&gt; &#64;me \\`a\\` \\*b\\* \\[c\\](d) \\#1 \\\\\\|"
        );
        assert_eq!(
            latex("\\input{x} 5% $y$ ^~ [z] a&b #1 <\t>"),
            "\\textbackslash{}input\\{x\\} 5\\% \\$y\\$ \\textasciicircum{}\\textasciitilde{} {[}z{]} a\\&b \\#1 \
             \\textless{} \\textgreater{}"
        );
    }
}
