//! `docs/conformance.md` must keep saying what is so: the tests that it names exist, those here are all named, every
//! quirk is explained, and the limits are those of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use e2e::Tenant;
use regex::Regex;

use crate::system;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
        .to_owned()
}

fn document() -> String {
    fs::read_to_string(root().join("docs/conformance.md")).expect("docs/conformance.md")
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `module::test` of every test of the workspace; the module is its file, and the folder of that.
fn tests() -> (BTreeSet<String>, BTreeSet<String>) {
    let test = Regex::new(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:async )?fn (\w+)\(").expect("a pattern");
    let in_proptest = Regex::new(r"\n    #\[test\]\s*fn (\w+)\(").expect("a pattern");
    let mut files = Vec::new();
    for folder in [
        "tests/e2e",
        "proto/src",
        "scim-edge",
        "identity-core",
        "session-service/src",
    ] {
        sources(&root().join(folder), &mut files);
    }
    let (mut all, mut ours) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        let stem = |path: &Path| {
            path.file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .to_owned()
        };
        let folder = file.parent().map(stem).unwrap_or_default();
        for found in test.captures_iter(&text).chain(in_proptest.captures_iter(&text)) {
            let name = &found[1];
            all.extend([format!("{}::{name}", stem(&file)), format!("{folder}::{name}")]);
            if folder == "rfc" && stem(&file) != "document" {
                ours.insert(format!("{}::{name}", stem(&file)));
            }
        }
    }
    (all, ours)
}

#[test]
fn every_test_that_the_document_names_exists_and_every_rule_is_in_it() {
    let named = Regex::new(r"`(\w+::\w+)`").expect("a pattern");
    let document = document();
    let named: BTreeSet<_> = named
        .captures_iter(&document)
        .map(|found| found[1].to_owned())
        .collect();
    let (all, ours) = tests();
    let unknown: Vec<_> = named.difference(&all).collect();
    assert!(
        unknown.is_empty(),
        "docs/conformance.md names tests that do not exist: {unknown:#?}"
    );
    let missing: Vec<_> = ours.difference(&named).collect();
    assert!(missing.is_empty(), "docs/conformance.md lacks {missing:#?}");
    assert!(ours.len() > 80, "{ours:?}");
}

#[tokio::test]
async fn every_quirk_is_in_the_document() {
    let tenant = Tenant::create(system()).await;
    let profile = system().cli(&["tenant", "profile", &tenant.name]).await.done();
    let quirks = profile["quirks"].as_object().expect("quirks");
    let document = document();
    for quirk in quirks.keys() {
        assert!(
            document.contains(&format!("| `{quirk}` |")),
            "docs/conformance.md lacks the quirk {quirk}"
        );
    }
    let rows = Regex::new(r"(?m)^\| `([a-z]+(?:-[a-z]+)+)` \|").expect("a pattern");
    let rows: BTreeSet<_> = rows.captures_iter(&document).map(|found| found[1].to_owned()).collect();
    assert_eq!(rows, quirks.keys().cloned().collect(), "rows of quirks");
}

#[test]
fn the_limits_in_the_document_are_those_of_the_code() {
    let row = Regex::new(r"`([\w/.-]+\.rs)` `(\w+)` = `([^`]+)`").expect("a pattern");
    let document = document();
    let mut rows = 0;
    for found in row.captures_iter(&document) {
        let (file, name, value) = (&found[1], &found[2], &found[3]);
        let code = fs::read_to_string(root().join(file)).expect(file);
        let definition = if name.chars().all(|one| one.is_ascii_uppercase() || one == '_') {
            Regex::new(&format!(r"const {name}: [^=]+ = {};", regex::escape(value)))
        } else {
            Regex::new(&format!(
                r"default_value_t = {}\)\]\s*pub {name}:",
                regex::escape(value)
            ))
        };
        assert!(
            definition.expect("a pattern").is_match(&code),
            "{file}: {name} is not {value}"
        );
        rows += 1;
    }
    assert!(rows >= 12, "{rows} limits");
}
