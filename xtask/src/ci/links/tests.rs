use super::*;

fn broken_links(pages: &[(&str, &str)]) -> (usize, Vec<String>) {
    let pages = pages.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect();
    broken(&pages, |path| path == Path::new("docs/report.png") || path == Path::new("crates"))
}

#[test]
fn links_that_lead_somewhere_are_counted() {
    let readme = "# A\n[b](docs/b.md) ![p](docs/report.png) [c](crates) [url](https://x.org/y) `[no](link)`\n\
                  ```sh\n[no](block)\n```\n[here](#a), [`code`](docs/b.md#the-rules-of-b)\n";
    let b = "## The rules of `B`\n[up](../README.md#a)\n";
    assert_eq!(broken_links(&[("README.md", readme), ("docs/b.md", b)]), (6, vec![]));
}

#[test]
fn links_that_lead_nowhere_are_told_with_page_and_line() {
    let page = "# Title\n\n[x](gone.md), [y](#titel)\n[z](other.md#two)\n";
    let (links, broken) = broken_links(&[("docs/page.md", page), ("docs/other.md", "# One\n")]);
    assert_eq!(links, 3);
    assert_eq!(
        broken,
        [
            "docs/page.md:3: gone.md: no such file",
            "docs/page.md:3: #titel: no heading #titel (did you mean \"title\"?)",
            "docs/page.md:4: other.md#two: no heading #two",
        ]
    );
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# One: two, *three*\n```\n# no heading\n```\n## `[data]`\n## Same\n## Same\n#no\n";
    let expected = ["data", "one-two-three", "same", "same-1"];
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), expected);
}
